//! `docker exec`: a second process in a running container.

use serde_json::json;

use crate::cli::attach::{Conversation, Ended, Input, Signals, Target};
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::environment;
use crate::cli::path::Query;
use crate::cli::wire::Stdio;
use crate::cli::{Session, tty};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container exec", "exec"],
    about: "Execute a command in a running container",
    synopsis: "[OPTIONS] CONTAINER COMMAND [ARG...]",
    flags: &[OPTIONS],
    operands: Operands::AtLeast(2),
    order: Order::First,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("detach", "Run the command in the background").short('d'),
    Flag::text(
        "detach-keys",
        "Keys that leave the container without stopping it",
    )
    .default("ctrl-p,ctrl-q"),
    Flag::list("env", "Set an environment variable").short('e'),
    Flag::list("env-file", "Read environment variables from a file"),
    Flag::switch("interactive", "Keep STDIN open even if not attached").short('i'),
    Flag::switch(
        "privileged",
        "Give nearly all the rights of the host's root",
    ),
    Flag::switch("tty", "Allocate a terminal").short('t'),
    Flag::text("user", "User (format: <name|uid>[:<group|gid>])").short('u'),
    Flag::text("workdir", "Directory in which the command starts").short('w'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let client = &session.client;
    let (name, command) = matches
        .operands
        .split_first()
        .expect("operands were counted");
    let (tty, detach) = (matches.on("tty"), matches.on("detach"));
    let stdin = matches.on("interactive") && !detach;
    if stdin && tty && !tty::has_input() {
        return Err(CliError::Said("the input device is not a TTY".to_owned()));
    }
    let mut body = json!({
        "AttachStdin": stdin,
        "AttachStdout": !detach,
        "AttachStderr": !detach,
        "Tty": tty,
        "Privileged": matches.on("privileged"),
        "User": matches.text("user").unwrap_or(""),
        "WorkingDir": matches.text("workdir").unwrap_or(""),
        "Env": environment::collect(matches.all("env-file"), matches.all("env"))?,
        "Cmd": command,
    });
    let size = tty::size()
        .filter(|_| tty)
        .map(|size| json!([size.rows, size.cols]));
    if let Some(size) = &size {
        body["ConsoleSize"] = size.clone();
    }
    let query = Query::new(&["containers", name, "exec"]);
    let created = client.post(&query, Payload::Json(body)).await?;
    let id = created["Id"].as_str().unwrap_or_default();

    let start = Query::new(&["exec", id, "start"]);
    let mut how = json!({ "Detach": detach, "Tty": tty });
    if let Some(size) = size {
        how["ConsoleSize"] = size;
    }
    if detach {
        client.post(&start, Payload::Json(how)).await?;
        return Ok(0);
    }
    let stdio = if tty { Stdio::Raw } else { Stdio::Multiplexed };
    let wire = client.hijack(&start, Payload::Json(how), stdio).await?;
    let keys = session.detach_keys(matches)?;
    let input = if stdin { Input::Forward } else { Input::Keep };
    let conversation = Conversation::start(wire, input, keys)?;
    let target = Target::Exec(id.to_owned());
    match conversation.follow(client, &target, Signals::Kept).await? {
        Ended::Detached => Ok(0),
        Ended::Output => {
            let inspect = client.get(&Query::new(&["exec", id, "json"])).await?;
            let code = inspect["ExitCode"].as_i64().unwrap_or(1);
            Ok(u8::try_from(code).unwrap_or(255))
        }
    }
}

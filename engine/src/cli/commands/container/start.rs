//! `docker start`.

use super::run::Exit;
use crate::cli::attach::{Conversation, Ended, Input, Signals, Target};
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::wire::Stdio;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container start", "start"],
    about: "Start one or more stopped containers",
    synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
    flags: &[OPTIONS],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("attach", "Attach STDOUT and STDERR, and pass signals on").short('a'),
    Flag::text("checkpoint", "Restore the container from this checkpoint")
        .refused("is not supported: containers are not frozen to disk here"),
    Flag::text("checkpoint-dir", "Where checkpoints are kept")
        .refused("is not supported: containers are not frozen to disk here"),
    Flag::text(
        "detach-keys",
        "Keys that leave the container without stopping it",
    )
    .default("ctrl-p,ctrl-q"),
    Flag::switch("interactive", "Attach STDIN").short('i'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    if matches.on("attach") || matches.on("interactive") {
        let [name] = matches.operands.as_slice() else {
            return Err(CliError::Said(
                "you cannot start and attach multiple containers at once".to_owned(),
            ));
        };
        return attached(session, matches, name).await;
    }
    let mut failed = Vec::new();
    for name in &matches.operands {
        let query = Query::new(&["containers", name, "start"]);
        match session.client.post(&query, Payload::Empty).await {
            Ok(_) => output::line(name)?,
            Err(error) => {
                output::complain(&error.to_string());
                failed.push(name.as_str());
            }
        }
    }
    if failed.is_empty() {
        return Ok(0);
    }
    Err(CliError::Said(format!(
        "Error: failed to start containers: {}",
        failed.join(", ")
    )))
}

async fn attached(session: &Session, matches: &Matches, name: &str) -> Result<u8, CliError> {
    let client = &session.client;
    let inspect = client
        .get(&Query::new(&["containers", name, "json"]))
        .await?;
    let id = inspect["Id"].as_str().unwrap_or(name);
    let tty = inspect["Config"]["Tty"].as_bool().unwrap_or(false);
    let stdin = matches.on("interactive") && inspect["Config"]["OpenStdin"] == true;
    let query = Query::new(&["containers", id, "attach"])
        .with("stream", "1")
        .with_switch("stdin", stdin)
        .with("stdout", "1")
        .with("stderr", "1");
    let stdio = if tty { Stdio::Raw } else { Stdio::Multiplexed };
    let wire = client.hijack(&query, Payload::Empty, stdio).await?;
    let removes = inspect["HostConfig"]["AutoRemove"] == true;
    let exit = Exit::of(session, id, if removes { "removed" } else { "next-exit" }).await?;
    let keys = session.detach_keys(matches)?;
    let input = if stdin { Input::Forward } else { Input::Keep };
    let conversation = Conversation::start(wire, input, keys)?;
    client
        .post(&Query::new(&["containers", id, "start"]), Payload::Empty)
        .await?;
    let target = Target::Container(id.to_owned());
    match conversation
        .follow(client, &target, Signals::Proxied)
        .await?
    {
        Ended::Detached => Ok(0),
        Ended::Output => exit.code().await,
    }
}

//! `docker attach`.

use super::run::Exit;
use crate::cli::attach::{Conversation, Ended, Input, Signals, Target, redraw};
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::wire::Stdio;
use crate::cli::{Session, tty};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container attach", "attach"],
    about: "Attach local standard input, output, and error streams to a running container",
    synopsis: "[OPTIONS] CONTAINER",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::text(
        "detach-keys",
        "Keys that leave the container without stopping it",
    )
    .default("ctrl-p,ctrl-q"),
    Flag::switch("no-stdin", "Do not attach STDIN"),
    Flag::switch("sig-proxy", "Pass received signals on to the process").default("true"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let client = &session.client;
    let name = &matches.operands[0];
    let inspect = client
        .get(&Query::new(&["containers", name, "json"]))
        .await?;
    let state = &inspect["State"];
    for (bad, message) in [
        (
            state["Running"] != true,
            "You cannot attach to a stopped container, start it first",
        ),
        (
            state["Paused"] == true,
            "You cannot attach to a paused container, unpause it first",
        ),
        (
            state["Restarting"] == true,
            "You cannot attach to a restarting container, wait until it is running",
        ),
    ] {
        if bad {
            return Err(CliError::Said(message.to_owned()));
        }
    }
    let id = inspect["Id"].as_str().unwrap_or(name);
    let has_tty = inspect["Config"]["Tty"].as_bool().unwrap_or(false);
    let stdin = inspect["Config"]["OpenStdin"] == true && !matches.on("no-stdin");
    if has_tty && stdin && !tty::has_input() {
        return Err(CliError::Said("the input device is not a TTY".to_owned()));
    }
    let query = Query::new(&["containers", id, "attach"])
        .with("stream", "1")
        .with_switch("stdin", stdin)
        .with("stdout", "1")
        .with("stderr", "1");
    let stdio = if has_tty {
        Stdio::Raw
    } else {
        Stdio::Multiplexed
    };
    let exit = Exit::of(session, id, "not-running").await?;
    let wire = client.hijack(&query, Payload::Empty, stdio).await?;
    let keys = session.detach_keys(matches)?;
    let input = if stdin { Input::Forward } else { Input::Keep };
    let conversation = Conversation::start(wire, input, keys)?;
    if has_tty {
        redraw(client, &Target::Container(id.to_owned())).await;
    }
    let signals = if matches.on("sig-proxy") {
        Signals::Proxied
    } else {
        Signals::Kept
    };
    let target = Target::Container(id.to_owned());
    match conversation.follow(client, &target, signals).await? {
        Ended::Detached => Err(CliError::Said("read escape sequence".to_owned())),
        Ended::Output => exit.code().await,
    }
}

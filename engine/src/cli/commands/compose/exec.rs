//! `docker compose exec`.

use super::{PROJECT, docker, scope};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, tty};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose exec"],
    about: "Execute a command in a running container",
    synopsis: "[OPTIONS] SERVICE COMMAND [ARGS...]",
    flags: &[PROJECT, OWN],
    operands: Operands::AtLeast(2),
    order: Order::First,
    run: |session, matches| Box::pin(exec(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch("detach", "Detached mode: Run command in the background").short('d'),
    Flag::list("env", "Set environment variables").short('e'),
    Flag::int(
        "index",
        "Index of the container if service has multiple replicas",
    )
    .default("0"),
    Flag::switch("no-TTY", "Disable pseudo-TTY allocation").short('T'),
    Flag::switch("privileged", "Give extended privileges to the process"),
    Flag::text("user", "Run the command as this user").short('u'),
    Flag::text("workdir", "Path to workdir directory for this command").short('w'),
];

async fn exec(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let (service, command) = matches
        .operands
        .split_first()
        .expect("operands were counted");
    let number = matches.int("index").unwrap_or(0);
    let container = scope::container(session, &name, service, number).await?;
    let mut words = Vec::new();
    if matches.on("detach") {
        words.push("--detach".to_owned());
    } else {
        words.push("--interactive".to_owned());
        if !matches.on("no-TTY") && tty::has_input() && tty::has_output() {
            words.push("--tty".to_owned());
        }
    }
    if matches.on("privileged") {
        words.push("--privileged".to_owned());
    }
    words.extend(
        matches
            .all("env")
            .iter()
            .map(|variable| format!("--env={variable}")),
    );
    for flag in ["user", "workdir"] {
        words.extend(matches.text(flag).map(|value| format!("--{flag}={value}")));
    }
    words.push(container.id);
    words.extend_from_slice(command);
    docker(session, "container exec", &words).await
}

//! `docker compose cp`.

use super::{PROJECT, docker, scope};
use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose cp"],
    about: "Copy files/folders between a service container and the local filesystem",
    synopsis: "[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-",
    flags: &[PROJECT, OWN],
    operands: Operands::Exactly(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(cp(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch("archive", "Archive mode (copy all uid/gid information)").short('a'),
    Flag::switch("follow-link", "Always follow symbol link in SRC_PATH").short('L'),
    Flag::int(
        "index",
        "Index of the container if service has multiple replicas",
    )
    .default("0"),
];

async fn cp(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let number = matches.int("index").unwrap_or(0);
    let mut words = Vec::new();
    for flag in ["archive", "follow-link"] {
        if matches.on(flag) {
            words.push(format!("--{flag}"));
        }
    }
    words.push("--".into());
    for operand in &matches.operands {
        let is_path = operand.starts_with(['/', '.']);
        match operand.split_once(':').filter(|_| !is_path) {
            Some((service, path)) => {
                let container = scope::container(session, &name, service, number).await?;
                words.push(format!("{}:{path}", container.id));
            }
            None => words.push(operand.clone()),
        }
    }
    docker(session, "container cp", &words).await
}

//! `docker compose rm`.

use std::io::{BufRead, stdin};

use super::PROJECT;
use super::converge::{self, Volumes};
use super::report::Report;
use super::scope::{self, Container};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose rm"],
    about: "Removes stopped service containers",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, OWN],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(rm(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch("force", "Don't ask to confirm removal").short('f'),
    Flag::switch("stop", "Stop the containers, if required, before removing").short('s'),
    Flag::switch(
        "volumes",
        "Remove any anonymous volumes attached to containers",
    )
    .short('v'),
];

async fn rm(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let report = Report::of(matches);
    let all = scope::containers(session, &name).await?;
    let chosen: Vec<Container> = scope::of_services(all, &matches.operands)?
        .into_iter()
        .filter(|one| matches.on("stop") || !one.is_running())
        .collect();
    if chosen.is_empty() {
        output::complain("No stopped containers");
        return Ok(0);
    }
    if !matches.on("force") {
        let names: Vec<&str> = chosen.iter().map(|one| one.name.as_str()).collect();
        output::print(&format!("? Going to remove {} [y/N] ", names.join(", ")))?;
        let mut answer = String::new();
        stdin()
            .lock()
            .read_line(&mut answer)
            .map_err(|source| CliError::Stream {
                doing: "read the answer",
                source,
            })?;
        if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            return Ok(0);
        }
    }
    let volumes = match matches.on("volumes") {
        true => Volumes::Remove,
        false => Volumes::Keep,
    };
    for one in &chosen {
        if one.is_running() {
            converge::stop(session, &one.id, &one.name, None, report).await?;
        }
        report.step("Container", &one.name, "Removing");
        converge::delete(session, &one.id, volumes).await?;
        report.step("Container", &one.name, "Removed");
    }
    Ok(0)
}

//! `docker compose logs`.

use super::streams::{self, Marks, Shown};
use super::{PROJECT, scope};
use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::moment;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose logs"],
    about: "View output from containers",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, OWN],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(logs(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch("follow", "Follow log output").short('f'),
    Flag::int(
        "index",
        "Index of the container if service has multiple replicas",
    ),
    Flag::switch("no-color", "Produce monochrome output"),
    Flag::switch("no-log-prefix", "Don't print prefix in logs"),
    Flag::text("since", "Show logs since timestamp or relative"),
    Flag::text(
        "tail",
        "Number of lines to show from the end of the logs for each container",
    )
    .short('n')
    .default("all"),
    Flag::switch("timestamps", "Show timestamps").short('t'),
    Flag::text("until", "Show logs before a timestamp or relative"),
];

async fn logs(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let all = scope::containers(session, &name).await?;
    let mut containers = scope::of_services(all, &matches.operands)?;
    if let Some(index) = matches.int("index") {
        containers.retain(|container| i64::from(container.number) == index);
    }
    let shown = Shown {
        follow: matches.on("follow"),
        tail: matches.text("tail").unwrap_or("all").to_owned(),
        since: matches.text("since").map(moment::parse).transpose()?,
        until: matches.text("until").map(moment::parse).transpose()?,
        timestamps: matches.on("timestamps"),
        marks: Marks::of(
            matches.on("no-log-prefix"),
            matches.on("no-color"),
            matches.text("ansi"),
        ),
        tells_end: false,
    };
    streams::show(session, &containers, &shown).await?;
    Ok(0)
}

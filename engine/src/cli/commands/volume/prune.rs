//! `docker volume prune`.

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::container::prune::{PRUNE_OPTIONS, confirmed, deleted, report};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::filters;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["volume prune"],
    about: "Remove unused local volumes",
    synopsis: "[OPTIONS]",
    flags: &[
        PRUNE_OPTIONS,
        &[Flag::switch("all", "Remove named volumes too, not only anonymous ones").short('a')],
    ],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let warning = if matches.on("all") {
        "WARNING! This will remove all local volumes not used by at least one container."
    } else {
        "WARNING! This will remove anonymous local volumes not used by at least one container."
    };
    if !confirmed(matches, warning)? {
        return Ok(0);
    }
    let mut conditions = matches.all("filter").to_vec();
    if matches.on("all") {
        conditions.push("all=true".to_owned());
    }
    let query = filters::add(Query::new(&["volumes", "prune"]), &conditions)?;
    let answer = session.client.post(&query, Payload::Empty).await?;
    report(
        &deleted("Deleted Volumes:", &answer["VolumesDeleted"]),
        &answer,
    )?;
    Ok(0)
}

//! `docker network prune`.

use crate::cli::client::Payload;
use crate::cli::commands::container::prune::{PRUNE_OPTIONS, confirmed, deleted};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::options::filters;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["network prune"],
    about: "Remove all unused networks",
    synopsis: "[OPTIONS]",
    flags: &[PRUNE_OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let warning =
        "WARNING! This will remove all custom networks not used by at least one container.";
    if !confirmed(matches, warning)? {
        return Ok(0);
    }
    let query = filters::add(Query::new(&["networks", "prune"]), matches.all("filter"))?;
    let answer = session.client.post(&query, Payload::Empty).await?;
    output::print(&deleted("Deleted Networks:", &answer["NetworksDeleted"]))?;
    Ok(0)
}

//! `docker compose create`.

use super::{PROJECT, converge, scope, up};
use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose create"],
    about: "Creates containers for a service",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, up::MAKING],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(create(session, matches)),
};

async fn create(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let project = scope::project(matches, &matches.operands)?;
    let options = up::options(matches, true)?;
    converge::create(session, &project, &options).await?;
    Ok(0)
}

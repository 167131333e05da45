//! `docker logout`.

use crate::cli::commands::{Command, Operands};
use crate::cli::credentials::{Keyring, server_named};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["logout"],
    about: "Log out from a registry",
    synopsis: "[SERVER]",
    flags: &[],
    operands: Operands::AtMost(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let server = server_named(matches.operands.first().map_or("", String::as_str));
    let mut keyring = Keyring::load(session.config.directory())?;
    output::line(&format!("Removing login credentials for {server}"))?;
    keyring.remove(&server)?;
    Ok(0)
}

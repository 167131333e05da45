//! `docker rename`.

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container rename", "rename"],
    about: "Rename a container",
    synopsis: "CONTAINER NEW_NAME",
    flags: &[],
    operands: Operands::Exactly(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (old, new) = (&matches.operands[0], &matches.operands[1]);
    let query = Query::new(&["containers", old, "rename"]).with("name", new);
    if let Err(error) = session.client.post(&query, Payload::Empty).await {
        output::complain(&error.to_string());
        return Err(CliError::Said(format!(
            "Error: failed to rename container named {old}"
        )));
    }
    Ok(0)
}

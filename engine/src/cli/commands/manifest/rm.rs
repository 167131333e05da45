//! `docker manifest rm`.

use super::notebook::{self, reference};
use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["manifest rm"],
    about: "Delete one or more manifest lists from local storage",
    synopsis: "MANIFEST_LIST [MANIFEST_LIST...]",
    flags: &[],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(_session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let mut errors = Vec::new();
    for name in &matches.operands {
        let list = reference(name)?;
        if !notebook::remove(&list)? {
            errors.push(CliError::Said(format!(
                "No such manifest: {}",
                list.familiar()
            )));
        }
    }
    CliError::gather(errors)
}

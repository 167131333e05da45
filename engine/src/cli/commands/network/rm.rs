//! `docker network rm`.

use crate::cli::commands::{Command, Operands, each};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["network rm", "network remove"],
    about: "Remove one or more networks",
    synopsis: "NETWORK [NETWORK...]",
    flags: &[&[Flag::switch("force", "Do not mind a network that does not exist").short('f')]],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let removed = each(&matches.operands, async |name| {
        match session
            .client
            .delete(&Query::new(&["networks", name]))
            .await
        {
            Err(error) if error.is_not_found() && matches.on("force") => return Ok(()),
            other => other?,
        };
        output::line(name)
    })
    .await;
    // Docker's client says so too, after the reason.
    removed.map_err(|error| CliError::Said(format!("{error}\nexit status 1")))
}

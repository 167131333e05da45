//! `docker volume rm`.

use crate::cli::commands::{Command, Operands, each};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["volume rm", "volume remove"],
    about: "Remove one or more volumes",
    synopsis: "[OPTIONS] VOLUME [VOLUME...]",
    flags: &[&[Flag::switch("force", "Do not mind a volume that does not exist").short('f')]],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    each(&matches.operands, async |name| {
        let query = Query::new(&["volumes", name]).with_switch("force", matches.on("force"));
        session.client.delete(&query).await?;
        output::line(name)
    })
    .await
}

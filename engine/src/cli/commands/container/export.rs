//! `docker export`.

use hyper::Method;

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::download::{self, Destination};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container export", "export"],
    about: "Export a container's filesystem as a tar archive",
    synopsis: "[OPTIONS] CONTAINER",
    flags: &[&[Flag::text("output", "Write to a file instead of stdout").short('o')]],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    if let Some(path) = matches.text("output") {
        let folder = std::path::Path::new(path)
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.exists()) {
            return Err(CliError::Said(format!(
                "failed to export container: invalid output path: stat {}: no such file or directory",
                folder.display()
            )));
        }
    }
    let to = Destination::choose(matches.text("output"))?;
    let query = Query::new(&["containers", &matches.operands[0], "export"]);
    let response = session
        .client
        .send(Method::GET, &query, Payload::Empty)
        .await?;
    download::write(&query, response, to).await?;
    Ok(0)
}

//! `docker diff`: what the container changed in its image.

use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container diff", "diff"],
    about: "Inspect changes to files or directories on a container's filesystem",
    synopsis: "CONTAINER",
    flags: &[],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let query = Query::new(&["containers", &matches.operands[0], "changes"]);
    let changes = session.client.get(&query).await?;
    let mut text = String::new();
    for change in changes.as_array().into_iter().flatten() {
        let kind = match change["Kind"].as_i64() {
            Some(0) => "C",
            Some(1) => "A",
            _ => "D",
        };
        text.push_str(&format!(
            "{kind} {}\n",
            change["Path"].as_str().unwrap_or_default()
        ));
    }
    output::print(&text)?;
    Ok(0)
}

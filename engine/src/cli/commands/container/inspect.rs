//! `docker container inspect`, and the `docker inspect` that finds any kind of object.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::document;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container inspect"],
    about: "Display detailed information on one or more containers",
    synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
    flags: &[FORMAT, SIZE],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(container(session, matches)),
};

/// The option that every `inspect` has.
pub(crate) const FORMAT: &[Flag] = &[Flag::text("format", "\"json\" or a Go template").short('f')];
/// Containers also have a size.
pub(crate) const SIZE: &[Flag] = &[Flag::switch("size", "Show sizes too").short('s')];

async fn container(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    inspect_documents(matches, async |name| {
        let query = Query::new(&["containers", name, "json"]);
        session
            .client
            .get(&query.with_switch("size", matches.on("size")))
            .await
    })
    .await
}

/// Shows the document of each operand; what was found is shown even if something was not.
pub(crate) async fn inspect_documents(
    matches: &Matches,
    fetch: impl AsyncFnMut(&str) -> Result<Value, CliError>,
) -> Result<u8, CliError> {
    inspect_documents_of(&matches.operands, matches, fetch).await
}

/// Shows the document of each of `names`.
pub(crate) async fn inspect_documents_of(
    names: &[String],
    matches: &Matches,
    mut fetch: impl AsyncFnMut(&str) -> Result<Value, CliError>,
) -> Result<u8, CliError> {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for name in names {
        match fetch(name).await {
            Ok(document) => found.push(document),
            Err(error) => errors.push(error),
        }
    }
    let format = matches.text("format");
    if format.is_some() && found.is_empty() {
        // Docker prints an empty line where the template's output would be.
        crate::cli::output::line("")?;
    }
    document::print_all(&found, format)?;
    CliError::gather(errors)
}

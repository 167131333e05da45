//! `docker tag`.

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::options::reference;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image tag", "tag"],
    about: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    synopsis: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    flags: &[],
    operands: Operands::Exactly(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    for word in &matches.operands {
        reference::check(word).map_err(|why| {
            CliError::Said(format!(
                "Error parsing reference: \"{word}\" is not a valid repository/tag: {why}"
            ))
        })?;
    }
    let target = reference::parse(&matches.operands[1]);
    if target
        .version
        .is_some_and(|version| version.starts_with("sha256:"))
    {
        return Err(CliError::Said(
            "refusing to create a tag with a digest reference".to_owned(),
        ));
    }
    let query = Query::new(&["images", &matches.operands[0], "tag"])
        .with("repo", target.name)
        .with("tag", target.version.unwrap_or("latest"));
    session.client.post(&query, Payload::Empty).await?;
    Ok(0)
}

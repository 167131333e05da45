//! `docker image prune`.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::container::prune::{PRUNE_OPTIONS, confirmed, report};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::filters;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image prune"],
    about: "Remove unused images",
    synopsis: "[OPTIONS]",
    flags: &[
        PRUNE_OPTIONS,
        &[Flag::switch("all", "Remove every image that no container uses").short('a')],
    ],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let warning = if matches.on("all") {
        "WARNING! This will remove all images without at least one container associated to them."
    } else {
        "WARNING! This will remove all dangling images."
    };
    if !confirmed(matches, warning)? {
        return Ok(0);
    }
    let mut conditions = matches.all("filter").to_vec();
    conditions.push(format!("dangling={}", !matches.on("all")));
    let query = filters::add(Query::new(&["images", "prune"]), &conditions)?;
    let answer = session.client.post(&query, Payload::Empty).await?;
    report(&deleted_images(&answer["ImagesDeleted"]), &answer)?;
    Ok(0)
}

/// The names and ids that went.
pub(crate) fn deleted_images(changes: &Value) -> String {
    let mut text = String::new();
    for change in changes.as_array().into_iter().flatten() {
        if let Some(name) = change["Untagged"].as_str() {
            text.push_str(&format!("untagged: {name}\n"));
        }
        if let Some(id) = change["Deleted"].as_str() {
            text.push_str(&format!("deleted: {id}\n"));
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("Deleted Images:\n{text}\n")
    }
}

//! `docker builder prune`.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::container::prune::{PRUNE_OPTIONS, confirmed, deleted, report};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::{filters, size};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["builder prune"],
    about: "Remove build cache",
    synopsis: "[OPTIONS]",
    flags: &[
        PRUNE_OPTIONS,
        &[
            Flag::switch(
                "all",
                "Remove all unused build cache, not just dangling ones",
            )
            .short('a'),
            Flag::bytes("keep-storage", "Amount of disk space to keep for cache"),
        ],
    ],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let warning = if matches.on("all") {
        "WARNING! This will remove all build cache."
    } else {
        "WARNING! This will remove all dangling build cache."
    };
    if !confirmed(matches, warning)? {
        return Ok(0);
    }
    let keep = matches.text("keep-storage").and_then(size::parse);
    let answer = prune(session, matches.on("all"), keep, matches.all("filter")).await?;
    report(
        &deleted("Deleted build cache objects:", &answer["CachesDeleted"]),
        &answer,
    )?;
    Ok(0)
}

/// Asks the daemon.
pub(crate) async fn prune(
    session: &Session,
    all: bool,
    keep: Option<i64>,
    conditions: &[String],
) -> Result<Value, CliError> {
    let query = Query::new(&["build", "prune"])
        .with_switch("all", all)
        .with_some(
            "keep-storage",
            keep.map(|bytes| bytes.to_string()).as_deref(),
        );
    let query = filters::add(query, conditions)?;
    session.client.post(&query, Payload::Empty).await
}

//! `docker container prune`, and what the other `prune` commands share with it.

use std::io::{BufRead, stdin};

use serde_json::Value;

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::amount;
use crate::cli::options::filters;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container prune"],
    about: "Remove all stopped containers",
    synopsis: "[OPTIONS]",
    flags: &[PRUNE_OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

/// The options of every `prune`.
pub(crate) const PRUNE_OPTIONS: &[Flag] = &[
    Flag::list("filter", "Remove only what fits a condition").word("filter"),
    Flag::switch("force", "Do not ask").short('f'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let warning = "WARNING! This will remove all stopped containers.";
    if !confirmed(matches, warning)? {
        return Ok(0);
    }
    let query = filters::add(Query::new(&["containers", "prune"]), matches.all("filter"))?;
    let answer = session.client.post(&query, Payload::Empty).await?;
    report(
        &deleted("Deleted Containers:", &answer["ContainersDeleted"]),
        &answer,
    )?;
    Ok(0)
}

/// Asks, unless `--force` answers.
pub(crate) fn confirmed(matches: &Matches, warning: &str) -> Result<bool, CliError> {
    if matches.on("force") {
        return Ok(true);
    }
    output::print(&format!(
        "{warning}\nAre you sure you want to continue? [y/N] "
    ))?;
    let mut answer = String::new();
    // An unreadable stdin is no consent.
    let _ = stdin().lock().read_line(&mut answer);
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

/// A titled list of names, or nothing.
pub(crate) fn deleted(title: &str, names: &Value) -> String {
    let names: Vec<&str> = names
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!("{title}\n{}\n\n", names.join("\n"))
}

/// Prints what was removed and how much that gave back.
pub(crate) fn report(text: &str, answer: &Value) -> Result<(), CliError> {
    let space = amount::decimal(answer["SpaceReclaimed"].as_f64().unwrap_or_default());
    output::print(&format!("{text}Total reclaimed space: {space}\n"))
}

//! `docker compose ls`: every project that has a container.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row};
use crate::cli::path::Query;
use crate::cli::{Session, output};
use crate::compose::body;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose ls"],
    about: "List running compose projects",
    synopsis: "[OPTIONS]",
    flags: &[super::PROJECT, OWN],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(ls(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch("all", "Show all stopped Compose projects").short('a'),
    Flag::list(
        "filter",
        "Filter output based on conditions provided (name=NAME)",
    )
    .word("filter"),
    Flag::text("format", "Format the output. Values: [table | json]"),
    Flag::switch("quiet", "Only display project names").short('q'),
];

const LISTING: Listing = Listing {
    kind: "projectContext",
    headers: &[
        ("Name", "NAME"),
        ("Status", "STATUS"),
        ("ConfigFiles", "CONFIG FILES"),
    ],
    columns: &["Name", "Status", "ConfigFiles"],
    raw: "",
};

async fn ls(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let mut wanted = Vec::new();
    for filter in matches.all("filter") {
        match filter.split_once('=') {
            Some(("name", name)) => wanted.push(name.to_owned()),
            _ => {
                return Err(CliError::Said(format!(
                    "invalid filter \"{filter}\": name=NAME is supported"
                )));
            }
        }
    }
    let filters = json!({ "label": [body::PROJECT] });
    let query = Query::new(&["containers", "json"])
        .with_switch("all", matches.on("all"))
        .with("filters", &filters.to_string());
    let answer = session.client.get(&query).await?;
    let mut projects: BTreeMap<String, (BTreeMap<String, usize>, String)> = BTreeMap::new();
    for container in answer.as_array().into_iter().flatten() {
        let label = |key: &str| container["Labels"][key].as_str().unwrap_or_default();
        let project = projects.entry(label(body::PROJECT).to_owned()).or_default();
        let state = container["State"].as_str().unwrap_or_default();
        *project.0.entry(state.to_owned()).or_default() += 1;
        label(body::FILES).clone_into(&mut project.1);
    }
    projects.retain(|name, _| {
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    });
    if matches.on("quiet") {
        for name in projects.keys() {
            output::line(name)?;
        }
        return Ok(0);
    }
    let rows: Vec<Row> = projects
        .into_iter()
        .map(|(name, (states, files))| {
            let states: Vec<String> = states
                .iter()
                .map(|(state, count)| format!("{state}({count})"))
                .collect();
            Row::new([
                ("Name", name.into()),
                ("Status", states.join(", ").into()),
                ("ConfigFiles", files.into()),
            ])
        })
        .collect();
    LISTING.print(&rows, matches.text("format"))?;
    Ok(0)
}

//! `docker history`.

use serde_json::Value;

use super::ls::{Ids, id};
use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row, age, amount};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image history", "history"],
    about: "Show the history of an image",
    synopsis: "[OPTIONS] IMAGE",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::switch("human", "Show sizes and dates for people")
        .short('H')
        .default("true"),
    Flag::switch("no-trunc", "Do not shorten"),
    Flag::text("platform", "Show this platform's variant")
        .refused("requires version 1.48 of the API: this client speaks 1.45"),
    Flag::switch("quiet", "Show only ids").short('q'),
];

const LISTING: Listing = Listing {
    kind: "historyContext",
    headers: &[
        ("ID", "IMAGE"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"),
        ("Comment", "COMMENT"),
    ],
    columns: &["ID", "CreatedSince", "CreatedBy", "Size", "Comment"],
    raw: "",
};

const EXACT: Listing = Listing {
    columns: &["ID", "CreatedAt", "CreatedBy", "Size", "Comment"],
    ..LISTING
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let query = Query::new(&["images", &matches.operands[0], "history"]);
    let answer = session.client.get(&query).await?;
    let rows: Vec<Row> = answer
        .as_array()
        .into_iter()
        .flatten()
        .map(|layer| row(layer, matches))
        .collect();
    let listing = if matches.on("human") { LISTING } else { EXACT };
    let format = if matches.on("quiet") {
        Some("{{.ID}}")
    } else {
        matches.text("format")
    };
    listing.print(&rows, format)?;
    Ok(0)
}

fn row(layer: &Value, matches: &Matches) -> Row {
    let ids = if matches.on("no-trunc") {
        Ids::Whole
    } else {
        Ids::Short
    };
    let created = layer["Created"].as_i64().unwrap_or_default();
    let size = layer["Size"].as_f64().unwrap_or_default();
    let size = if matches.on("human") {
        amount::short(size)
    } else {
        format!("{size:.0}")
    };
    let by = layer["CreatedBy"]
        .as_str()
        .unwrap_or_default()
        .replace('\t', " ");
    let by = match ids {
        Ids::Short if by.chars().count() > 45 => by.chars().take(44).chain(['…']).collect(),
        _ => by,
    };
    let moment = age::moment(created)
        .replacen(' ', "T", 1)
        .replace(" +0000 UTC", "Z");
    Row::new([
        (
            "ID",
            id(layer["Id"].as_str().unwrap_or_default(), ids).into(),
        ),
        ("CreatedSince", age::ago(created).into()),
        ("CreatedAt", moment.into()),
        ("CreatedBy", by.into()),
        ("Size", size.into()),
        (
            "Comment",
            layer["Comment"].as_str().unwrap_or_default().into(),
        ),
    ])
}

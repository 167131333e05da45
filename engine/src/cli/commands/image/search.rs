//! `docker search`.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::credentials;
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row};
use crate::cli::options::filters;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["search"],
    about: "Search the registry for images",
    synopsis: "[OPTIONS] TERM",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::list("filter", "Show only what fits a condition")
        .short('f')
        .word("filter"),
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::int("limit", "Largest number of results"),
    Flag::switch("no-trunc", "Do not shorten"),
];

const LISTING: Listing = Listing {
    kind: "SearchContext",
    headers: &[
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("StarCount", "STARS"),
        ("IsOfficial", "OFFICIAL"),
    ],
    columns: &["Name", "Description", "StarCount", "IsOfficial"],
    raw: "",
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let query = Query::new(&["images", "search"])
        .with("term", &matches.operands[0])
        .with_some("limit", matches.text("limit"))
        .with_registry_auth(credentials::header_for(
            session.config.directory(),
            &matches.operands[0],
        )?);
    let answer = session
        .client
        .get(&filters::add(query, matches.all("filter"))?)
        .await?;
    let row = |found: &Value| {
        let description = found["description"]
            .as_str()
            .unwrap_or_default()
            .replace('\n', " ");
        let description = match matches.on("no-trunc") || description.chars().count() <= 45 {
            true => description,
            false => description.chars().take(44).chain(['…']).collect(),
        };
        let official = if found["is_official"] == true {
            "[OK]"
        } else {
            ""
        };
        Row::new([
            ("Name", found["name"].clone()),
            ("Description", description.into()),
            (
                "StarCount",
                found["star_count"]
                    .as_i64()
                    .unwrap_or_default()
                    .to_string()
                    .into(),
            ),
            ("IsOfficial", official.into()),
        ])
    };
    let rows: Vec<Row> = answer.as_array().into_iter().flatten().map(row).collect();
    LISTING.print(&rows, matches.text("format"))?;
    Ok(0)
}

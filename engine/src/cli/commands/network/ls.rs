//! `docker network ls`.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row, age};
use crate::cli::options::filters;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["network ls", "network list"],
    about: "List networks",
    synopsis: "[OPTIONS]",
    flags: &[OPTIONS],
    operands: Operands::None,
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
    Flag::switch("no-trunc", "Do not shorten"),
    Flag::switch("quiet", "Show only ids").short('q'),
];

const LISTING: Listing = Listing {
    kind: "networkContext",
    headers: &[
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
    ],
    columns: &["ID", "Name", "Driver", "Scope"],
    raw: "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let query = filters::add(Query::new(&["networks"]), matches.all("filter"))?;
    let answer = session.client.get(&query).await?;
    let whole = matches.on("no-trunc");
    let mut rows: Vec<Row> = answer
        .as_array()
        .into_iter()
        .flatten()
        .map(|network| row(network, whole))
        .collect();
    rows.sort_by_key(|row| row.fields["Name"].as_str().unwrap_or_default().to_owned());
    let format = if matches.on("quiet") {
        Some("{{.ID}}")
    } else {
        session.format(matches, "networksFormat")
    };
    LISTING.print(&rows, format)?;
    Ok(0)
}

fn row(network: &Value, whole: bool) -> Row {
    let id = network["Id"].as_str().unwrap_or_default();
    let yes = |key: &str| Value::from(network[key].as_bool().unwrap_or(false).to_string());
    Row::new([
        (
            "ID",
            (if whole { id } else { &id[..id.len().min(12)] }).into(),
        ),
        ("Name", network["Name"].clone()),
        ("Driver", network["Driver"].clone()),
        ("Scope", network["Scope"].clone()),
        ("IPv4", yes("EnableIPv4")),
        ("IPv6", yes("EnableIPv6")),
        ("Internal", yes("Internal")),
        (
            "CreatedAt",
            age::moment_of(network["Created"].as_str().unwrap_or_default()).into(),
        ),
    ])
    .with_labels(&network["Labels"])
}

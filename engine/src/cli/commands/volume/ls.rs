//! `docker volume ls`.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row};
use crate::cli::options::filters;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["volume ls", "volume list"],
    about: "List volumes",
    synopsis: "[OPTIONS]",
    flags: &[OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("cluster", "Only cluster volumes")
        .refused("is not supported: there is no swarm mode here")
        .hidden(),
    Flag::list("filter", "Show only what fits a condition")
        .short('f')
        .word("filter"),
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::switch("quiet", "Show only names").short('q'),
];

const LISTING: Listing = Listing {
    kind: "volumeContext",
    headers: &[
        ("Name", "VOLUME NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("Availability", "AVAILABILITY"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Size", "SIZE"),
        ("Group", "GROUP"),
        ("Status", "STATUS"),
    ],
    columns: &["Driver", "Name"],
    raw: "name: {{.Name}}\ndriver: {{.Driver}}\n",
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let query = filters::add(Query::new(&["volumes"]), matches.all("filter"))?;
    let answer = session.client.get(&query).await?;
    let mut rows: Vec<Row> = answer["Volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(row)
        .collect();
    rows.sort_by_key(|row| row.fields["Name"].as_str().unwrap_or_default().to_owned());
    let format = if matches.on("quiet") {
        Some("{{.Name}}")
    } else {
        session.format(matches, "volumesFormat")
    };
    LISTING.print(&rows, format)?;
    Ok(0)
}

fn row(volume: &Value) -> Row {
    Row::new([
        ("Name", volume["Name"].clone()),
        ("Driver", volume["Driver"].clone()),
        ("Scope", volume["Scope"].clone()),
        ("Mountpoint", volume["Mountpoint"].clone()),
        ("Availability", "N/A".into()),
        ("Group", "N/A".into()),
        ("Links", "N/A".into()),
        ("Size", "N/A".into()),
        ("Status", "N/A".into()),
    ])
    .with_labels(&volume["Labels"])
}

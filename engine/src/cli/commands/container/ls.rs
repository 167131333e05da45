//! `docker ps`.

use serde_json::Value;

use super::listed::{Line, Listed};
use super::listed_ports;
use crate::cli::client;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row, Shown};
use crate::cli::options::filters;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container ls", "container list", "container ps", "ps"],
    about: "List containers",
    synopsis: "[OPTIONS]",
    flags: &[OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("all", "Show all containers, not only those that run").short('a'),
    Flag::list("filter", "Show only what fits a condition")
        .short('f')
        .word("filter"),
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::int("last", "Show the last created containers")
        .short('n')
        .default("-1"),
    Flag::switch("latest", "Show the container created last").short('l'),
    Flag::switch("no-trunc", "Do not shorten"),
    Flag::switch("quiet", "Show only ids").short('q'),
    Flag::switch("size", "Show sizes").short('s'),
];

/// What is known about a container in a list.
pub(crate) const LISTING: Listing = Listing {
    kind: "ContainerContext",
    headers: &[
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Ports", "PORTS"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Size", "SIZE"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
        ("Platform", "PLATFORM"),
    ],
    columns: &[
        "ID",
        "Image",
        "Command",
        "RunningFor",
        "Status",
        "Ports",
        "Names",
    ],
    raw: "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\nlabels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n",
};

const WITH_SIZE: Listing = Listing {
    columns: &[
        "ID",
        "Image",
        "Command",
        "RunningFor",
        "Status",
        "Ports",
        "Names",
        "Size",
    ],
    ..LISTING
};

const IGNORED: &str = "WARNING: Ignoring custom format, because both --format and --quiet are set.";

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let format = session.format(matches, "psFormat");
    let last = if matches.on("latest") {
        1
    } else {
        matches.int("last").unwrap_or(-1)
    };
    let sized = matches.on("size")
        || format.is_some_and(|format| format.contains(".Size") || format.contains("json ."));
    let query = Query::new(&["containers", "json"])
        .with_switch("all", matches.on("all"))
        .with_some("limit", (last > 0).then(|| last.to_string()).as_deref())
        .with_switch("size", sized);
    let query = filters::add(query, matches.all("filter"))?;
    // A daemon without containers may send `null`.
    let body = session.client.get_bytes(&query).await?;
    let answer: Option<Vec<Listed<'_>>> = client::parse_as(&query, &body)?;
    let length = if matches.on("no-trunc") {
        Length::Whole
    } else {
        Length::Short
    };
    let rows: Vec<Line<'_>> = answer
        .into_iter()
        .flatten()
        .map(|container| Line { container, length })
        .collect();
    if matches.on("quiet") && format.is_some() {
        output::complain(IGNORED);
    }
    let (listing, format) = match (matches.on("quiet"), format) {
        (true, _) => (LISTING, Some("{{.ID}}")),
        (false, format) if matches.on("size") => (WITH_SIZE, format),
        (false, format) => (LISTING, format),
    };
    listing.print(&rows, format)?;
    Ok(0)
}

/// Whether ids and commands are shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// To twelve digits, and twenty characters.
    Short,
    /// Not at all.
    Whole,
}

/// One container of the API's list; what is not as the API says is shown as absent.
pub(crate) fn row(container: &Value, length: Length) -> Row {
    let container = Listed::read(container).unwrap_or_default();
    Line { container, length }.row().into_owned()
}

/// The ports of a container of the API's list, as its row shows them.
pub(crate) fn displayed_ports(ports: &Value) -> String {
    listed_ports::read(ports).map_or_else(|_| String::new(), |ports| listed_ports::shown(&ports))
}

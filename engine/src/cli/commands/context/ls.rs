//! `docker context ls`.

use super::create::DEFAULT_DESCRIPTION;
use crate::cli::commands::{Command, Operands};
use crate::cli::context::{self, DEFAULT};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["context ls", "context list"],
    about: "List contexts",
    synopsis: "[OPTIONS]",
    flags: &[OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(async move { run(session, matches) }),
};

const OPTIONS: &[Flag] = &[
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::switch("quiet", "Only show names").short('q'),
];

const LISTING: Listing = Listing {
    kind: "clientContextContext",
    headers: &[
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("DockerEndpoint", "DOCKER ENDPOINT"),
        ("Current", "CURRENT"),
        ("Error", "ERROR"),
    ],
    columns: &["Name", "Description", "DockerEndpoint", "Error"],
    raw: "",
};

/// How much of an error the table shows.
const ERROR_WIDTH: usize = 45;

fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let rows = rows(session)?;
    if matches.on("quiet") {
        for row in &rows {
            output::line(row.fields["Name"].as_str().unwrap_or_default())?;
        }
        warn(session);
        return Ok(0);
    }
    let format = matches.text("format");
    let table = format.is_none_or(|format| format.starts_with("table"));
    let rows: Vec<Row> = rows
        .into_iter()
        .map(|row| if table { marked(row) } else { row })
        .collect();
    LISTING.print(&rows, format)?;
    warn(session);
    Ok(0)
}

/// The variable wins over whatever is listed as current.
fn warn(session: &Session) {
    if context::variable("DOCKER_HOST").is_some() && session.global.text("context").is_none() {
        output::complain(
            "Warning: DOCKER_HOST environment variable overrides the active context. To use a \
             context, either set the global --context flag, or unset DOCKER_HOST environment \
             variable.",
        );
    }
}

/// The default context, those that are kept, and the one in use even if it is not there.
fn rows(session: &Session) -> Result<Vec<Row>, CliError> {
    let current = &session.context;
    let row = |name: &str, about: &str, host: &str, error: &str| {
        Row::new([
            ("Current", (name == current).into()),
            ("Description", about.into()),
            ("DockerEndpoint", host.into()),
            ("Error", error.into()),
            ("Name", name.into()),
        ])
    };
    let mut rows = Vec::new();
    let default = context::target(DEFAULT, &session.global, &session.config);
    let (host, error) = match default {
        Ok(target) => (target.host, String::new()),
        Err(error) => (String::new(), error.to_string()),
    };
    rows.push(row(DEFAULT, DEFAULT_DESCRIPTION, &host, &error));
    let store = session.contexts();
    for context in store.all()? {
        rows.push(row(&context.name, context.description(), &context.host, ""));
    }
    let listed = |row: &Row| row.fields["Name"] == current.as_str();
    if !rows.iter().any(listed) {
        let error = match store.load(current) {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        };
        rows.push(row(current, "", "", &error));
    }
    rows.sort_by(|a, b| a.fields["Name"].as_str().cmp(&b.fields["Name"].as_str()));
    Ok(rows)
}

/// A row of the table: a star for the context in use, a short error.
fn marked(mut row: Row) -> Row {
    if row.fields["Current"] == true {
        let name = row.fields["Name"].as_str().unwrap_or_default();
        row.fields["Name"] = format!("{name} *").into();
    }
    let error = row.fields["Error"].as_str().unwrap_or_default();
    if error.chars().count() > ERROR_WIDTH {
        let short: String = error.chars().take(ERROR_WIDTH - 1).collect();
        row.fields["Error"] = format!("{short}…").into();
    }
    row
}

//! `docker compose ps`.

use std::collections::BTreeSet;

use super::{PROJECT, scope};
use crate::cli::commands::container::ls::{Length, displayed_ports, row};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{Listing, Row};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose ps"],
    about: "List containers",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, OWN],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(ps(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch(
        "all",
        "Show all stopped containers (including those created by the run command)",
    )
    .short('a'),
    Flag::list(
        "filter",
        "Filter services by a property (supported filters: status)",
    )
    .word("filter"),
    Flag::text(
        "format",
        "\"table\", \"json\", a Go template or \"table TEMPLATE\"",
    ),
    Flag::switch("no-trunc", "Don't truncate output"),
    Flag::switch(
        "orphans",
        "Include orphaned services (not declared by project)",
    )
    .default("true"),
    Flag::switch("quiet", "Only display IDs").short('q'),
    Flag::switch("services", "Display services"),
    Flag::list("status", "Filter services by status"),
];

const LISTING: Listing = Listing {
    kind: "ContainerContext",
    headers: &[
        ("Name", "NAME"),
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("Service", "SERVICE"),
        ("Project", "PROJECT"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Ports", "PORTS"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Health", "HEALTH"),
        ("ExitCode", "EXIT CODE"),
        ("Size", "SIZE"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
        ("Platform", "PLATFORM"),
    ],
    columns: &[
        "Name",
        "Image",
        "Command",
        "Service",
        "RunningFor",
        "Status",
        "Ports",
    ],
    raw: "",
};

async fn ps(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, project) = scope::name_or_project(matches)?;
    let mut states: Vec<String> = matches.all("status").to_vec();
    for filter in matches.all("filter") {
        match filter.split_once('=') {
            Some(("status", state)) => states.push(state.to_owned()),
            _ => {
                return Err(CliError::Said(format!(
                    "invalid filter \"{filter}\": status=STATUS is supported"
                )));
            }
        }
    }
    for service in &matches.operands {
        if let Some(project) = &project {
            scope::service(project, service)?;
        }
    }
    let found: Vec<scope::Container> = scope::containers(session, &name)
        .await?
        .into_iter()
        .filter(|one| matches.operands.is_empty() || matches.operands.contains(&one.service))
        .filter(|one| matches.on("all") || !one.is_one_off || one.is_running())
        .filter(|one| match states.is_empty() {
            true => matches.on("all") || one.is_running(),
            false => states.contains(&one.state),
        })
        .filter(|one| {
            matches.on("orphans")
                || project
                    .as_ref()
                    .is_none_or(|project| project.services.contains_key(&one.service))
        })
        .collect();
    if matches.on("services") {
        let services: BTreeSet<&str> = found.iter().map(|one| one.service.as_str()).collect();
        for service in services {
            output::line(service)?;
        }
        return Ok(0);
    }
    if matches.on("quiet") {
        for one in &found {
            output::line(&one.id)?;
        }
        return Ok(0);
    }
    let length = match matches.on("no-trunc") {
        true => Length::Whole,
        false => Length::Short,
    };
    let rows: Vec<Row> = found
        .iter()
        .map(|one| extended(one, &name, length))
        .collect();
    LISTING.print(&rows, matches.text("format"))?;
    Ok(0)
}

/// The row of `docker ps`, and what compose adds.
fn extended(one: &scope::Container, project: &str, length: Length) -> Row {
    let mut shown = row(&one.listed, length);
    let status = one.listed["Status"].as_str().unwrap_or_default();
    let health = ["healthy", "unhealthy", "health: starting"]
        .into_iter()
        .find(|health| status.ends_with(&format!("({health})")))
        .unwrap_or("");
    let code = status
        .strip_prefix("Exited (")
        .and_then(|rest| rest.split(')').next())
        .and_then(|code| code.parse::<i64>().ok())
        .unwrap_or(0);
    for (key, value) in [
        ("Name", one.name.clone().into()),
        ("Names", one.name.clone().into()),
        ("Service", one.service.clone().into()),
        ("Project", project.into()),
        ("Health", health.trim_start_matches("health: ").into()),
        ("ExitCode", code.into()),
        ("Ports", displayed_ports(&one.listed["Ports"]).into()),
    ] {
        shown.fields.insert(key.to_owned(), value);
    }
    shown
}

//! `list`: every container of the root directory.

use super::{Call, Command, state};
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::{switch, value};
use crate::oci_cli::record::{Container, Status};
use crate::oci_cli::text::{print, table};

pub(super) const COMMAND: Command = Command {
    name: "list",
    help: "lists containers started with the given root",
    arguments: "",
    flags: &[
        value(&["format", "f"], "select one of: table (default) or json"),
        switch(&["quiet", "q"], "display only container IDs"),
    ],
    run,
};

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let containers = Container::all(call.global);
    if call.given.is_on("quiet") {
        let ids: String = containers.iter().map(|c| c.id.clone() + "\n").collect();
        print(&ids);
        return Ok(0);
    }
    match call.given.last("format") {
        None | Some("table") => print(&table(&rows(&containers))),
        Some("json") => {
            let states: Vec<_> = containers.iter().map(state::document).collect();
            // As runc: `null` for none.
            let json = match states.as_slice() {
                [] => "null".to_owned(),
                states => serde_json::to_string(states).expect("states have string keys only"),
            };
            print(&(json + "\n"));
        }
        Some(other) => {
            return Err(CliError::BadValue {
                flag: "format".to_owned(),
                value: other.to_owned(),
            });
        }
    }
    Ok(0)
}

fn rows(containers: &[Container]) -> Vec<Vec<String>> {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for container in containers {
        let status = container.status();
        let pid = match status {
            Status::Stopped => 0,
            _ => container.record.pid,
        };
        rows.push(vec![
            container.id.clone(),
            pid.to_string(),
            status.word().to_owned(),
            container.record.hooks.subject.bundle.display().to_string(),
            container.record.created.clone(),
            container.record.owner_name(),
        ]);
    }
    rows
}

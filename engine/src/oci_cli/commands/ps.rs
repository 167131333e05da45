//! `ps`: the processes of a container.

use std::collections::BTreeSet;
use std::process;

use super::{Call, Command};
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::value;
use crate::oci_cli::record::Container;
use crate::oci_cli::text::print;

pub(super) const COMMAND: Command = Command {
    name: "ps",
    help: "ps displays the processes running inside a container",
    arguments: "<container-id> [ps options]",
    flags: &[value(
        &["format", "f"],
        "select one of: table (default) or json",
    )],
    run,
};

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let Some((id, options)) = call.arguments.split_first() else {
        return Err(CliError::Arguments {
            command: "ps",
            expected: "requires a container's ID",
        });
    };
    let container = Container::load(call.global, id)?;
    let group = container.group();
    let group = group.ok_or_else(|| CliError::State("the container has no cgroup".to_owned()))?;
    let pids: BTreeSet<i32> = group.processes().into_iter().collect();
    match call.given.last("format") {
        Some("json") => {
            let pids: Vec<_> = pids.into_iter().collect();
            print(&(serde_json::to_string(&pids).expect("numbers") + "\n"));
            Ok(0)
        }
        None | Some("table") => table(&pids, options),
        Some(other) => Err(CliError::BadValue {
            flag: "format".to_owned(),
            value: other.to_owned(),
        }),
    }
}

/// The host's `ps` knows the columns; only the lines of these processes are kept.
fn table(pids: &BTreeSet<i32>, options: &[String]) -> Result<i32, CliError> {
    let usual = ["-ef".to_owned()];
    let options = if options.is_empty() { &usual } else { options };
    let output = process::Command::new("ps").args(options).output();
    let output = output.map_err(|source| CliError::File {
        what: "execute",
        path: "ps".into(),
        source,
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let place = head.split_whitespace().position(|word| word == "PID");
    let place =
        place.ok_or_else(|| CliError::State("couldn't find PID field in ps output".to_owned()))?;
    let mut kept = vec![head];
    kept.extend(lines.filter(|line| {
        let pid = line.split_whitespace().nth(place);
        pid.and_then(|pid| pid.parse().ok())
            .is_some_and(|pid: i32| pids.contains(&pid))
    }));
    print(&(kept.join("\n") + "\n"));
    Ok(0)
}

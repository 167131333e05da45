//! `state`: one container, in the specification's words.

use super::{Call, Command};
use crate::oci_cli::error::CliError;
use crate::oci_cli::record::{Container, Status};
use crate::oci_cli::text::print;

pub(super) const COMMAND: Command = Command {
    name: "state",
    help: "output the state of a container",
    arguments: "<container-id>",
    flags: &[],
    run,
};

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let container = Container::load(call.global, call.only_id("state")?)?;
    let json = serde_json::to_string_pretty(&document(&container));
    print(&(json.expect("a state has string keys only") + "\n"));
    Ok(0)
}

/// The state, with what runc adds to the specification's.
pub(super) fn document(container: &Container) -> serde_json::Value {
    let status = container.status();
    let pid = match status {
        Status::Stopped => 0,
        _ => container.record.pid,
    };
    let subject = &container.record.hooks.subject;
    let mut state = subject.state(status.word(), i32::try_from(pid).ok());
    state["rootfs"] = container.record.rootfs.to_string_lossy().into();
    state["created"] = container.record.created.clone().into();
    state["owner"] = container.record.owner_name().into();
    state
}

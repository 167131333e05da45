//! `start`: lets a created container execute its program.

use super::{Call, Command};
use crate::oci_cli::error::CliError;
use crate::oci_cli::log;
use crate::oci_cli::record::{Container, Status};
use crate::roles::bundle;

pub(super) const COMMAND: Command = Command {
    name: "start",
    help: "executes the user defined process in a created container",
    arguments: "<container-id>",
    flags: &[],
    run,
};

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let container = Container::load(call.global, call.only_id("start")?)?;
    match container.status() {
        Status::Created => {}
        Status::Stopped => {
            let words = "cannot start a container that has stopped";
            return Err(CliError::State(words.to_owned()));
        }
        Status::Running | Status::Paused => {
            let words = "cannot start an already running container";
            return Err(CliError::State(words.to_owned()));
        }
    }
    let door = container.door();
    bundle::start(&door)?;
    // It is what makes the container "created"; one that cannot be removed would stay so.
    std::fs::remove_file(&door).map_err(|source| CliError::File {
        what: "remove",
        path: door,
        source,
    })?;
    let hooks = &container.record.hooks;
    let pid = Some(container.record.pid);
    if let Err(e) = bundle::run_hooks(hooks, &hooks.poststart, "running", pid) {
        // The specification: "the runtime MUST log a warning, but continue as if the hook had succeeded".
        log::warning(call.global, &e.to_string());
    }
    Ok(0)
}

//! `pause` and `resume`: freezes and thaws every process of a container.

use super::{Call, Command};
use crate::oci_cli::error::CliError;
use crate::oci_cli::record::{Container, Status};

pub(super) const COMMAND: Command = Command {
    name: "pause",
    help: "pause suspends all processes inside the container",
    arguments: "<container-id>",
    flags: &[],
    run: pause,
};

pub(super) const RESUME: Command = Command {
    name: "resume",
    help: "resumes all processes that have been previously paused",
    arguments: "<container-id>",
    flags: &[],
    run: resume,
};

fn pause(call: &Call<'_>) -> Result<i32, CliError> {
    let container = Container::load(call.global, call.only_id("pause")?)?;
    match container.status() {
        Status::Running | Status::Created => {}
        status => {
            let words = format!("container not running or created: {}", status.word());
            return Err(CliError::State(words));
        }
    }
    group(&container)?.freeze().map_err(failed)?;
    Ok(0)
}

fn resume(call: &Call<'_>) -> Result<i32, CliError> {
    let container = Container::load(call.global, call.only_id("resume")?)?;
    if container.status() != Status::Paused {
        return Err(CliError::State("container not paused".to_owned()));
    }
    group(&container)?.thaw().map_err(failed)?;
    Ok(0)
}

fn group(container: &Container) -> Result<kernel::cgroup::Cgroup, CliError> {
    let none = || CliError::State("the container has no cgroup".to_owned());
    container.group().ok_or_else(none)
}

fn failed(source: kernel::error::SysError) -> CliError {
    CliError::Kernel {
        what: "cannot change the freezer's state",
        source,
    }
}

//! `delete`: removes what is left of a container.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use kernel::cgroup::Cgroup;
use kernel::poll::{self, Interest};
use kernel::process::{self, Signal};

use super::{Call, Command};
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::switch;
use crate::oci_cli::global::Global;
use crate::oci_cli::log;
use crate::oci_cli::record::{Container, Status};
use crate::roles::bundle;

pub(super) const COMMAND: Command = Command {
    name: "delete",
    help: "delete any resources held by the container",
    arguments: "<container-id>",
    flags: &[switch(
        &["force", "f"],
        "forcibly deletes the container if it is still running (uses SIGKILL)",
    )],
    run,
};

/// How long a killed process may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    let id = call.only_id("delete")?;
    let force = call.given.is_on("force");
    let container = match Container::load(call.global, id) {
        Err(CliError::Missing) if force => {
            // Half made by a call that was killed.
            let _ = std::fs::remove_dir_all(call.global.container(id));
            return Ok(0);
        }
        other => other?,
    };
    match container.status() {
        Status::Stopped => {}
        Status::Created => end(&container)?,
        Status::Running | Status::Paused if force => end(&container)?,
        status @ (Status::Running | Status::Paused) => {
            return Err(CliError::State(format!(
                "cannot delete container {id} that is not stopped: {}",
                status.word()
            )));
        }
    }
    remove(call.global, &container)?;
    Ok(0)
}

/// Kills the first process, and waits until it is gone.
fn end(container: &Container) -> Result<(), CliError> {
    let Ok(init) = container.init() else {
        return Ok(());
    };
    let failed = |source| CliError::Kernel {
        what: "cannot end the container",
        source,
    };
    // It may have ended meanwhile; or a profile that confines it lets no signal of ours through, and then only the
    // kernel's own hand reaches it, through the group.
    let signalled = process::pidfd_send_signal(init.as_fd(), Signal::KILL);
    if let Some(group) = container.group() {
        if signalled.is_err() {
            group.kill().map_err(failed)?;
        }
        group.thaw().or_else(|e| match e.source.kind() {
            std::io::ErrorKind::Unsupported | std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(failed(e)),
        })?;
    }
    let end = Instant::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let ready = poll::wait(&[(init.as_fd(), Interest::Read)], Some(left)).map_err(failed)?;
        if ready[0].readable {
            return Ok(());
        }
        if Instant::now() >= end {
            signalled.map_err(failed)?;
            let words = "the container's process is still there after it was killed";
            return Err(CliError::State(words.to_owned()));
        }
    }
}

/// Removes the group and the directory of a container that has ended; runs its last hooks.
pub(in crate::oci_cli) fn remove(global: &Global, container: &Container) -> Result<(), CliError> {
    remove_with(global, container, container.group())
}

/// The same with the group as it was found before.
pub(in crate::oci_cli) fn remove_with(
    global: &Global,
    container: &Container,
    group: Option<Cgroup>,
) -> Result<(), CliError> {
    let failed = |source| CliError::Kernel {
        what: "cannot remove the container's cgroup",
        source,
    };
    if let Some(group) = group
        && !group.remove_if_empty()
    {
        // No pid namespace may have died with the first process: what it started is ended here.
        if !group.processes().is_empty() {
            group.kill().map_err(failed)?;
            group.wait_empty(PATIENCE);
        }
        group.remove().map_err(failed)?;
    }
    std::fs::remove_dir_all(&container.directory).map_err(|source| CliError::File {
        what: "remove",
        path: container.directory.clone(),
        source,
    })?;
    let hooks = &container.record.hooks;
    if let Err(e) = bundle::run_hooks(hooks, &hooks.poststop, "stopped", None) {
        log::warning(global, &e.to_string());
    }
    Ok(())
}

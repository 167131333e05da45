//! `create`: prepares a container up to the execution of its program.

use std::path::{Path, PathBuf};

use kernel::apparmor;
use kernel::cgroup::{Cgroup, Layout};

use super::{Call, Command};
use crate::oci::runtime_spec;
use crate::oci_cli::error::CliError;
use crate::oci_cli::flags::{Flag, switch, value};
use crate::oci_cli::global::Global;
use crate::oci_cli::log;
use crate::oci_cli::record::{self, Container, Record, Reservation};
use crate::roles::bundle::{self, Prepared};
use crate::runtime::bundle::{self as decide, Wish};
use crate::runtime::plan::{Entrance, Plan};
use crate::runtime::process::Keyring;

pub(super) const COMMAND: Command = Command {
    name: "create",
    help: "create a container",
    arguments: "<container-id>",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[BUNDLE, CONSOLE, PID_FILE, NO_PIVOT, NO_KEYRING, PRESERVE];

pub(super) const BUNDLE: Flag = value(
    &["bundle", "b"],
    "path to the root of the bundle directory, defaults to the current directory",
);
pub(super) const CONSOLE: Flag = value(
    &["console-socket"],
    "path to an AF_UNIX socket which will receive a file descriptor of the console's master",
);
pub(super) const PID_FILE: Flag =
    value(&["pid-file"], "specify the file to write the process id to");
pub(super) const NO_PIVOT: Flag = switch(
    &["no-pivot"],
    "do not use pivot root to jail process inside rootfs",
);
pub(super) const NO_KEYRING: Flag = switch(
    &["no-new-keyring"],
    "do not create a new session keyring for the container",
);
pub(super) const PRESERVE: Flag = value(
    &["preserve-fds"],
    "pass N additional file descriptors to the container (stdio + N)",
);

fn run(call: &Call<'_>) -> Result<i32, CliError> {
    make(call, call.only_id("create")?, Wait::AtTheDoor)?;
    Ok(0)
}

/// How a prepared process waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// For a later `start`.
    AtTheDoor,
    /// For this very call.
    ForUs,
}

/// A prepared container.
pub(super) struct Made {
    pub(super) process: Prepared,
    pub(super) container: Container,
    pub(super) group: Option<Cgroup>,
    pub(super) plan: Plan,
}

/// Prepares the container of a bundle; nothing is left of it when that fails.
pub(super) fn make(call: &Call<'_>, id: &str, wait: Wait) -> Result<Made, CliError> {
    let bundle = bundle_of(call)?;
    let spec = runtime_spec::load(&bundle)?;
    let reservation = Reservation::make(call.global, id)?;
    let directory = call.global.container(id);
    let wish = wish(call, id, &bundle, &directory)?;
    let plan = decide::plan(&spec, &wish)?;
    if decide::limits_kernel_memory(&spec) {
        let words = "Kernel memory settings are ignored and will be removed";
        log::warning(call.global, words);
    }
    check_profile(&plan)?;
    check_console(call, &plan, wait)?;
    let group = name_group(call.global, &plan)?;
    let settle = || match &group {
        Some(group) => settle(call.global, &plan, group),
        None => Ok(()),
    };
    let mut written = None;
    let meanwhile = |pid| {
        let record = Record {
            pid,
            start_time: record::start_time(pid)?,
            created: jiff::Timestamp::now().to_string(),
            rootfs: plan.root.lower[0].clone(),
            cgroup: group.as_ref().map(|_| plan.cgroup.clone()),
            owner: kernel::process::effective_uid(),
            hooks: plan.hooks.clone(),
        };
        record::write(&directory, &record, &bundle.join("config.json"))?;
        written = Some(record);
        Ok(())
    };
    let door = record::door(&directory);
    let door = (wait == Wait::AtTheDoor).then_some(door.as_path());
    let made = bundle::create(&plan, group.as_ref(), door, settle, meanwhile);
    let finish = |process: &Prepared| {
        if let Some(socket) = call.given.last("console-socket") {
            process.hand_over_terminal(Path::new(socket))?;
        }
        record::publish(&directory)?;
        if let Some(path) = call.given.last("pid-file") {
            write_pid(Path::new(path), process.pid)?;
        }
        Ok(())
    };
    let finished = made.and_then(|process| match finish(&process) {
        Ok(()) => Ok(process),
        Err(e) => {
            process.end();
            Err(e)
        }
    });
    match finished {
        Ok(process) => {
            reservation.keep();
            let record = written.expect("whoever is prepared has been recorded");
            let container = Container {
                id: id.to_owned(),
                directory,
                record,
            };
            log::debug(call.global, &format!("container {id} is created"));
            Ok(Made {
                process,
                container,
                group,
                plan,
            })
        }
        Err(e) => {
            // The first error is worth more than those of the tidying.
            if let Some(group) = &group {
                let _ = group.kill();
                let _ = group.remove();
            }
            let _ = bundle::run_hooks(&plan.hooks, &plan.hooks.poststop, "stopped", None);
            Err(e)
        }
    }
}

fn bundle_of(call: &Call<'_>) -> Result<PathBuf, CliError> {
    let path = PathBuf::from(call.given.last("bundle").unwrap_or("."));
    path.canonicalize().map_err(|source| CliError::File {
        what: "find",
        path,
        source,
    })
}

fn wish(call: &Call<'_>, id: &str, bundle: &Path, directory: &Path) -> Result<Wish, CliError> {
    Ok(Wish {
        id: id.to_owned(),
        bundle: bundle.to_owned(),
        directory: directory.to_owned(),
        entrance: if call.given.is_on("no-pivot") {
            Entrance::Chroot
        } else {
            Entrance::Pivot
        },
        passed: passed(call)?,
        keyring: if call.given.is_on("no-new-keyring") {
            Keyring::Inherited
        } else {
            Keyring::New
        },
    })
}

/// How many descriptors beyond the three are passed on.
pub(super) fn passed(call: &Call<'_>) -> Result<u32, CliError> {
    let text = call.given.last("preserve-fds").unwrap_or("0");
    text.parse().map_err(|_| CliError::BadValue {
        flag: "preserve-fds".to_owned(),
        value: text.to_owned(),
    })
}

/// A terminal needs somebody to show it.
fn check_console(call: &Call<'_>, plan: &Plan, wait: Wait) -> Result<(), CliError> {
    let detached = wait == Wait::AtTheDoor || call.given.is_on("detach");
    let socket = call.given.last("console-socket").is_some();
    match (plan.process.terminal.is_some(), detached, socket) {
        (true, true, false) => Err(CliError::Unsupported(
            "cannot allocate tty if runtime will detach without setting console socket",
        )),
        (false, _, true) | (_, false, true) => Err(CliError::Unsupported(
            "cannot use console socket if runtime will not detach or allocate tty",
        )),
        _ => Ok(()),
    }
}

/// A profile that nothing would enforce is an error: whoever names one relies on it.
fn check_profile(plan: &Plan) -> Result<(), CliError> {
    match &plan.process.apparmor {
        Some(name) if !apparmor::enabled() => Err(no_apparmor(name)),
        _ => Ok(()),
    }
}

/// The kernel does not enforce what was asked for.
pub(super) fn no_apparmor(profile: &str) -> CliError {
    CliError::State(format!(
        "apparmorProfile {profile:?}: this kernel does not confine by AppArmor"
    ))
}

/// Names the group; where the caller may make none, and asked for no limit, there is none.
fn name_group(global: &Global, plan: &Plan) -> Result<Option<Cgroup>, CliError> {
    let group = Cgroup::new(&Layout::detect().map_err(no_group)?, &plan.cgroup);
    if !global.rootless {
        return Ok(Some(group));
    }
    match group.create() {
        Ok(()) => Ok(Some(group)),
        Err(e) => {
            let _ = group.remove();
            if plan.resources != crate::runtime::request::Resources::default() {
                return Err(no_group(e));
            }
            log::debug(global, &format!("no cgroup: {e}"));
            Ok(None)
        }
    }
}

/// Makes the group, if it is not there yet, and limits it.
fn settle(global: &Global, plan: &Plan, group: &Cgroup) -> Result<(), CliError> {
    if !global.rootless {
        group.create().map_err(no_group)?;
    }
    Ok(bundle::limit(plan, group)?)
}

fn no_group(source: kernel::error::SysError) -> CliError {
    CliError::Kernel {
        what: "cannot create the container's cgroup",
        source,
    }
}

/// Written whole or not at all: whoever waits for the file reads a number.
pub(super) fn write_pid(path: &Path, pid: u32) -> Result<(), CliError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}"));
    std::fs::write(&beside, pid.to_string())
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|source| CliError::File {
            what: "write",
            path: path.to_owned(),
            source,
        })
}

//! Makes what a container needs from the engine's stage, then its first process.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use kernel::cgroup::{Cgroup, Layout};
use kernel::error::SysError;
use kernel::file::{self, Pipe};
use kernel::fs::{self, Access};
use kernel::namespace;
use kernel::socket_path::SocketPath;

use super::process::{Ends, Process};
use super::serve::Shim;
use crate::logs::spec::LogSpec;
use crate::logs::{Log, Place};
use crate::roles::birth;
use crate::roles::init::Luggage;
use crate::roles::program::Stdio;
use crate::roles::setting;
use crate::runtime::handshake::Refusal;
use crate::runtime::plan::Plan;
use crate::runtime::process::ProcessPlan;
use crate::runtime::request::{Resources, Stdin};
use crate::runtime::{cgroups, mounts};
use crate::stage::Stage;

/// Prepares the container of a plan; nothing is left of it when that fails.
pub(super) fn container(plan: Plan) -> Result<Shim, Refusal> {
    let sys = |what: &'static str| move |e: SysError| Refusal::failed(what, &e);
    let layout = cgroups::layout().map_err(sys("cannot read the cgroup mounts"))?;
    let mut group = Cgroup::new(&layout, &plan.cgroup);
    // An ordinary user who was delegated none: a container without limits runs without a group.
    if could_do_without(&plan)
        && let Err(e) = group.create()
        && may_do_without(&e)
    {
        let _ = group.remove();
        group = Cgroup::new(&Layout::default(), &plan.cgroup);
    }
    let result = in_group(&plan, &group);
    match result {
        Ok((init, log, listener)) => Ok(Shim::new(plan, group, init, log, listener)),
        Err(refusal) => {
            // The refusal is worth more than a second one about the rest.
            let _ = group.remove();
            Err(refusal)
        }
    }
}

fn could_do_without(plan: &Plan) -> bool {
    plan.stage == Stage::Host
        && plan.resources == Resources::default()
        && namespace::is_initial_user().is_ok_and(|initial| !initial)
}

fn may_do_without(error: &SysError) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.source.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Makes the group and its limits.
fn settle(plan: &Plan, group: &Cgroup) -> Result<(), Refusal> {
    let made = group.create();
    made.map_err(|e| Refusal::failed("cannot create the container's cgroup", &e))?;
    if group.directories().next().is_some() {
        setting::limit(plan, group)?;
    }
    Ok(())
}

type Parts = (Process, Option<Log>, UnixListener);

fn in_group(plan: &Plan, group: &Cgroup) -> Result<Parts, Refusal> {
    let sys = |what: &'static str| move |e: SysError| Refusal::failed(what, &e);
    let root = mounts::mount_root(&plan.root).map_err(sys("cannot mount the root file system"))?;
    let sources = plan.sources.iter().map(mounts::clone);
    let sources = sources.collect::<Result<Vec<_>, _>>();
    let sources = sources.map_err(sys("cannot open a volume"))?;
    let log = open_log(&plan.log, &plan.stage)?;
    let (stdio, ends) = streams(&plan.process).map_err(sys("cannot make pipes"))?;
    let luggage = Luggage {
        mounts: Some((root, sources)),
        stdio,
        door: None,
        listener: None,
    };
    let parental = birth::Parental {
        settle: || settle(plan, group),
        meanwhile: |_| Ok::<(), Refusal>(()),
    };
    let born = birth::container(plan, luggage, Some(group), parental)?;
    let init =
        Process::new(born, ends, plan.process.stdin).map_err(sys("cannot keep the streams"))?;
    let socket = plan.directory.join("shim.sock");
    let listener = SocketPath::open(&socket)
        .and_then(|path| UnixListener::bind(path.short()))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    match listener {
        Ok(listener) => Ok((init, log, listener)),
        Err(e) => {
            init.kill();
            let e = SysError::io("bind", e).on(socket.to_string_lossy());
            Err(Refusal::failed("cannot listen for the daemon", &e))
        }
    }
}

fn open_log(log: &LogSpec, stage: &Stage) -> Result<Option<Log>, Refusal> {
    let LogSpec::To(plan) = log else {
        return Ok(None);
    };
    let opened = Log::open(plan, &Place(stage.clone()));
    opened.map(Some).map_err(|error| {
        let what = "failed to create task for container: failed to initialize logging driver";
        Refusal::failed(what, &error)
    })
}

/// The streams of a process: its own ends, and ours.
pub(super) fn streams(plan: &ProcessPlan) -> Result<(Stdio, Ends), SysError> {
    if let Some(size) = plan.terminal {
        return Ok((Stdio::Terminal(size), Ends::default()));
    }
    let (output, error) = (file::pipe()?, file::pipe()?);
    let (stdin, input) = match plan.stdin {
        Stdin::Null => (fs::open(Path::new("/dev/null"), Access::Read)?, None),
        Stdin::Once | Stdin::Open => {
            let Pipe { reader, writer } = file::pipe()?;
            (reader, Some(ours(writer)?))
        }
    };
    let ends = Ends {
        input,
        output: Some(ours(output.reader)?),
        error: Some(ours(error.reader)?),
    };
    Ok((Stdio::Pipes([stdin, output.writer, error.writer]), ends))
}

pub(super) fn ours(end: OwnedFd) -> Result<File, SysError> {
    file::set_nonblocking(end.as_fd())?;
    Ok(File::from(end))
}

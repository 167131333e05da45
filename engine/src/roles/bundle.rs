//! Makes the container of a bundle, without a shim: whoever calls the runtime is its parent.
//!
//! The caller is a process with one thread that ends soon; the container's first process goes on
//! without it, prepared, and waits behind a socket file for somebody who says go.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use kernel::cgroup::Cgroup;
use kernel::error::SysError;
use kernel::namespace::Namespaces;
use kernel::{process, rendezvous, rights};

use super::birth::{self, Born, Parental};
use super::exec::{self, Home};
use super::init::Luggage;
use super::program::Stdio;
use super::voice::Ear;
use super::{hooks, setting};
use crate::runtime::handshake::{FromInit, Refusal};
use crate::runtime::hooks::{Hook, Hooks};
use crate::runtime::mounts;
use crate::runtime::plan::Plan;
use crate::runtime::process::ProcessPlan;
use crate::stage::Stage;

/// A prepared process that waits for the go, or has had it.
#[derive(Debug)]
pub struct Prepared {
    /// Readable when it has ended; it is a child of the caller.
    pub pidfd: OwnedFd,
    /// Its number as the caller sees it.
    pub pid: u32,
    /// The master of its terminal.
    pub master: Option<OwnedFd>,
    ear: Ear,
}

/// Prepares the container of a plan in `group`, if there is one; nothing is left of the process when
/// that fails.
///
/// With a `door` the process waits there, for [`start`]; without, for [`Prepared::go`].
///
/// `settle` makes the group and its limits (see [`limit`]); `meanwhile` is told the process's number, and done before it
/// is prepared. Both are done beside the process where that can be.
pub fn create<E: From<Refusal>>(
    plan: &Plan,
    group: Option<&Cgroup>,
    door: Option<&Path>,
    settle: impl FnOnce() -> Result<(), E>,
    meanwhile: impl FnOnce(u32) -> Result<(), E>,
) -> Result<Prepared, E> {
    let sys = |what: &'static str| move |e: SysError| Refusal::failed(what, &e);
    let door = door.map(rendezvous::listen).transpose();
    let door = door.map_err(sys("cannot wait for the start"))?;
    // An ordinary user may copy mounts only in a namespace of its own: the process does it there.
    let made = if process::effective_uid() == 0 {
        let root = mounts::mount_root(&plan.root);
        let root = root.map_err(sys("cannot mount the root file system"))?;
        let sources = plan.sources.iter().map(mounts::clone);
        let sources = sources.collect::<Result<Vec<_>, _>>();
        Some((root, sources.map_err(sys("cannot bind a mount's source"))?))
    } else {
        None
    };
    let luggage = Luggage {
        mounts: made,
        stdio: stdio(&plan.process),
        door,
        listener: listener(&plan.process)?,
    };
    let parental = Parental { settle, meanwhile };
    birth::container(plan, luggage, group, parental).map(Prepared::from)
}

/// Sets the limits of a plan's group.
pub fn limit(plan: &Plan, group: &Cgroup) -> Result<(), Refusal> {
    setting::limit(plan, group)
}

/// Where a second process is made.
#[derive(Debug)]
pub struct Place<'a> {
    /// The container's first process.
    pub init: &'a OwnedFd,
    /// The container's group, if it has one.
    pub group: Option<&'a Cgroup>,
    /// The namespaces that the first process has and the caller has not, besides the usual ones.
    pub besides: Namespaces,
}

/// Prepares a second process in a container.
pub fn exec(place: &Place<'_>, plan: &ProcessPlan) -> Result<Prepared, Refusal> {
    let home = Home {
        stage: &Stage::Host,
        init: place.init,
        group: place.group,
        besides: place.besides,
    };
    exec::process(&home, plan, stdio(plan), listener(plan)?).map(Prepared::from)
}

/// Lets the process that waits behind `door` execute its program.
pub fn start(door: &Path) -> Result<(), Refusal> {
    let failed = |e: SysError| Refusal::failed("cannot reach the container's process", &e);
    let ear = Ear::over(rendezvous::connect(door).map_err(failed)?);
    go(&ear)
}

/// Runs hooks that belong to the caller's side.
pub fn run_hooks(
    all: &Hooks,
    list: &[Hook],
    status: &str,
    pid: Option<u32>,
) -> Result<(), Refusal> {
    if list.is_empty() {
        return Ok(());
    }
    hooks::run(list, &hooks::state(all, status, pid))
}

impl Prepared {
    /// Lets it execute its program.
    pub fn go(&self) -> Result<(), Refusal> {
        go(&self.ear)
    }

    /// Gives the master of its terminal to whoever listens at a socket file (`--console-socket`).
    pub fn hand_over_terminal(&self, socket: &Path) -> Result<(), Refusal> {
        let failed = |e: SysError| Refusal::failed("cannot give away the terminal", &e);
        let Some(master) = &self.master else {
            return Ok(());
        };
        let socket = connect(socket).map_err(failed)?;
        rights::send(socket.as_fd(), b"/dev/ptmx", &[master.as_fd()])
            .map(drop)
            .map_err(failed)
    }

    /// Ends it for good.
    pub fn end(&self) {
        birth::end(&self.pidfd);
    }
}

impl From<Born> for Prepared {
    fn from(born: Born) -> Self {
        Self {
            pidfd: born.pidfd,
            pid: born.engine_pid,
            master: born.master,
            ear: born.ear,
        }
    }
}

fn go(ear: &Ear) -> Result<(), Refusal> {
    let failed = |e: SysError| Refusal::failed("the container's process cannot be heard", &e);
    ear.go().map_err(failed)?;
    // Its end of the socket is closed by execve: silence is success.
    match ear.listen().map_err(failed)? {
        Some((FromInit::Failed(refusal), _)) => Err(refusal),
        _ => Ok(()),
    }
}

fn stdio(plan: &ProcessPlan) -> Stdio {
    plan.terminal.map_or(Stdio::Inherited, Stdio::Terminal)
}

fn listener(plan: &ProcessPlan) -> Result<Option<OwnedFd>, Refusal> {
    let wanted = plan.special.listener.as_ref();
    wanted
        .map(|listener| connect(&listener.path))
        .transpose()
        .map_err(|e| Refusal::failed("cannot reach the seccomp listener", &e))
}

fn connect(path: &Path) -> Result<OwnedFd, SysError> {
    let on = |e| SysError::io("connect", e).on(path.to_string_lossy());
    let short = kernel::socket_path::SocketPath::open(path).map_err(on)?;
    std::os::unix::net::UnixStream::connect(short.short())
        .map(OwnedFd::from)
        .map_err(on)
}

//! Inside the new namespaces: prepares the container, waits for the go, becomes the program.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use kernel::error::SysError;
use kernel::fs::{self, Access, Dir};
use kernel::mount::{self, Change, Depth, Propagation};
use kernel::namespace::{self, Namespaces};
use kernel::{process, pty, signal};

use super::program::{self, Prepared, Stdio};
use super::tini;
use super::voice::Voice;
use crate::runtime::handshake::{FromInit, Refusal};
use crate::runtime::mounts::{self, Scene};
use crate::runtime::plan::Plan;
use crate::runtime::request::{self, InitProcess, Sharing};

/// What the shim made before the stage was entered.
#[derive(Debug)]
pub(super) struct Luggage {
    /// The root file system, attached nowhere.
    pub(super) root: OwnedFd,
    /// What the plan binds from the engine's stage, attached nowhere.
    pub(super) sources: Vec<OwnedFd>,
    /// The program's streams.
    pub(super) stdio: Stdio,
}

// ANCHOR: init
/// Prepares, waits, and becomes the program; never comes back.
pub(super) fn run(plan: &Plan, luggage: Luggage, voice: Voice) -> ! {
    let (prepared, terminal) = match prepare(plan, luggage) {
        Ok(ready) => ready,
        Err(refusal) => voice.fail(refusal),
    };
    let master = terminal.as_ref().map(|pair| pair.master.as_fd());
    let said = voice.say(&FromInit::Ready, master.as_slice());
    if said.is_err() || !voice.wait_for_go() {
        process::exit(125);
    }
    let slave = terminal.map(|pair| pair.slave);
    if let Err(e) = program::give_up(&plan.process, &prepared.identity) {
        voice.fail(Refusal::failed("cannot give up privileges", &e));
    }
    match plan.init {
        InitProcess::Program => {
            if let Err(e) = lead(slave.as_ref()) {
                voice.fail(Refusal::failed("cannot take the terminal", &e));
            }
            voice.fail(prepared.program.execute())
        }
        InitProcess::Reaper => tini::run(&prepared.program, slave.as_ref(), voice),
    }
}
// ANCHOR_END: init

/// Leads a session of its own, on the terminal if there is one.
pub(super) fn lead(slave: Option<&OwnedFd>) -> Result<(), SysError> {
    match slave {
        Some(slave) => pty::lead_session(slave.as_fd()),
        None => process::setsid(),
    }
}

type Ready = (Prepared, Option<pty::Pair>);

fn prepare(plan: &Plan, luggage: Luggage) -> Result<Ready, Refusal> {
    let sys = |what: &'static str| move |e: SysError| Refusal::failed(what, &e);
    signal::reset_all().map_err(sys("cannot reset the signals"))?;
    if plan.namespaces.cgroup == Sharing::New {
        // Only now, inside its group: a cgroup namespace begins where its maker is.
        namespace::unshare(Namespaces::CGROUP).map_err(sys("cannot make a cgroup namespace"))?;
    }
    build_root(plan, &luggage).map_err(sys("cannot build the root"))?;
    name_host(plan).map_err(sys("cannot set the host name"))?;
    enter_root(&luggage.root).map_err(sys("cannot enter the root"))?;
    let prepared = program::prepare(&plan.process)?;
    let terminal = program::open_streams(luggage.stdio, &prepared.identity)
        .map_err(sys("cannot open the streams"))?;
    if let Some(pair) = &terminal {
        mounts::bind_console(pair.slave.as_fd()).map_err(sys("cannot make /dev/console"))?;
    }
    if plan.root.access == request::Access::ReadOnly {
        mounts::make_root_read_only().map_err(sys("cannot make the root read-only"))?;
    }
    Ok((prepared, terminal))
}

/// Puts the root on top of the stage's and mounts into it what the plan says.
fn build_root(plan: &Plan, luggage: &Luggage) -> Result<(), SysError> {
    let private = Change {
        propagation: Some(Propagation::Private),
        ..Change::NOTHING
    };
    mount::change(Dir::Here, c"/", Depth::Tree, private)?;
    // Attached over `/`, where no name of the learner's is looked up; paths from the process's
    // root still lead into the stage until pivot_root.
    let slash = fs::open(Path::new("/"), Access::Directory)?;
    mount::attach(luggage.root.as_fd(), Dir::At(slash.as_fd()), c"")?;
    let scene = Scene {
        root: luggage.root.as_fd(),
        sources: &luggage.sources,
    };
    plan.steps
        .iter()
        .try_for_each(|step| mounts::apply(&scene, step))
}

fn name_host(plan: &Plan) -> Result<(), SysError> {
    if plan.namespaces.uts != Sharing::New {
        return Ok(());
    }
    if !plan.hostname.is_empty() {
        process::set_host_name(&plan.hostname)?;
    }
    if !plan.domainname.is_empty() {
        process::set_domain_name(&plan.domainname)?;
    }
    Ok(())
}

fn enter_root(root: &OwnedFd) -> Result<(), SysError> {
    process::fchdir(root.as_fd())?;
    mount::pivot_into_working_directory()
}

//! Inside the new namespaces: prepares the container, waits for the go, becomes the program.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use kernel::error::SysError;
use kernel::fs::{self, Access, Dir};
use kernel::mount::{self, Change, Depth, Propagation};
use kernel::process::{self, Dumpable};
use kernel::{file, pty, rendezvous, signal};

use super::confinement::{self, Confinement};
use super::hooks;
use super::membership::Membership;
use super::program::{self, Prepared, Stdio};
use super::tini;
use super::voice::Voice;
use crate::runtime::handshake::{FromInit, Refusal};
use crate::runtime::mounts::{self, Scene};
use crate::runtime::plan::{Entrance, Plan};
use crate::runtime::request::{self, InitProcess, Sharing};

/// What the shim made before the stage was entered.
#[derive(Debug)]
pub(super) struct Luggage {
    /// The root file system, and what the plan binds from the engine's stage: attached nowhere.
    /// `None` where an ordinary user must make them in namespaces of its own.
    pub(super) mounts: Option<(OwnedFd, Vec<OwnedFd>)>,
    /// The program's streams.
    pub(super) stdio: Stdio,
    /// Where whoever says go will come; `None` when the parent says it.
    pub(super) door: Option<OwnedFd>,
    /// Connected to whoever supervises system calls.
    pub(super) listener: Option<OwnedFd>,
}

// ANCHOR: init
/// Prepares, waits, and becomes the program; never comes back.
pub(super) fn run(
    plan: &Plan,
    mut luggage: Luggage,
    membership: Membership<'_>,
    voice: Voice,
) -> ! {
    let door = luggage.door.take();
    let (prepared, terminal, confinement) = match prepare(plan, luggage, membership, &voice) {
        Ok(ready) => ready,
        Err(refusal) => voice.fail(refusal),
    };
    let master = terminal.as_ref().map(|pair| pair.master.as_fd());
    if voice.say(&FromInit::Ready, master.as_slice()).is_err() {
        process::exit(125);
    }
    let voice = wait_for_go(voice, door);
    let slave = terminal.map(|pair| pair.slave);
    let state = hooks::state(&plan.hooks, "created", confinement.pid);
    if let Err(refusal) = hooks::run(&plan.hooks.start_container, &state) {
        voice.fail(refusal);
    }
    if let Err(e) = confinement::give_up(&plan.process, &prepared.identity, confinement) {
        voice.fail(Refusal::failed("cannot give up privileges", &e));
    }
    match plan.init {
        InitProcess::Program => {
            if let Err(e) = lead(slave.as_ref()) {
                voice.fail(Refusal::failed("cannot take the terminal", &e));
            }
            voice.fail(prepared.program.execute(plan.process.special.passed))
        }
        InitProcess::Reaper => tini::run(&prepared.program, slave.as_ref(), voice),
    }
}
// ANCHOR_END: init

/// The voice of whoever said go: the parent, or a later visitor.
fn wait_for_go(parent: Voice, door: Option<OwnedFd>) -> Voice {
    let Some(door) = door else {
        if parent.wait_for_go() {
            return parent;
        }
        process::exit(125);
    };
    // The parent reads until nobody can speak to it any more.
    drop(parent);
    loop {
        match rendezvous::accept(door.as_fd()).map(Voice::over) {
            Ok(visitor) if visitor.wait_for_go() => return visitor,
            // It went away again; another may come.
            Ok(_) => {}
            Err(_) => process::exit(125),
        }
    }
}

/// Leads a session of its own, on the terminal if there is one.
pub(super) fn lead(slave: Option<&OwnedFd>) -> Result<(), SysError> {
    match slave {
        Some(slave) => pty::lead_session(slave.as_fd()),
        None => process::setsid(),
    }
}

type Ready = (Prepared, Option<pty::Pair>, Confinement);

fn prepare(
    plan: &Plan,
    luggage: Luggage,
    mut membership: Membership<'_>,
    voice: &Voice,
) -> Result<Ready, Refusal> {
    let sys = |what: &'static str| move |e: SysError| Refusal::failed(what, &e);
    signal::reset_all().map_err(sys("cannot reset the signals"))?;
    // A container that shares its processes with others must not show them this program.
    process::set_dumpable(Dumpable::No).map_err(sys("cannot hide the process"))?;
    if plan.entrance == Entrance::Stay || !membership.is_coming() {
        membership.complete(voice)?;
    }
    // Through the stage's `/proc`, which no image has arranged.
    let pid = own_number();
    let confinement = Confinement::open(&plan.process, luggage.listener, pid)
        .map_err(sys("cannot prepare the confinement"))?;
    name_host(plan).map_err(sys("cannot set the host name"))?;
    if plan.entrance != Entrance::Stay {
        let root = build_root(plan, luggage.mounts, &mut membership, voice)?;
        if plan.hooks.before_the_root() {
            voice.ask(&FromInit::Rooted);
            let state = hooks::state(&plan.hooks, "creating", pid);
            hooks::run(&plan.hooks.create_container, &state)?;
        }
        enter_root(&root, plan.entrance).map_err(sys("cannot enter the root"))?;
    }
    let prepared = program::prepare(&plan.process)?;
    let terminal = program::open_streams(luggage.stdio, &prepared.identity)
        .map_err(sys("cannot open the streams"))?;
    if let Some(pair) = &terminal {
        mounts::bind_console(pair.slave.as_fd()).map_err(sys("cannot make /dev/console"))?;
    }
    if plan.root.access == request::Access::ReadOnly {
        mounts::make_root_read_only().map_err(sys("cannot make the root read-only"))?;
    }
    if let Some(how) = plan.propagation {
        mounts::set_root_propagation(how).map_err(sys("cannot share the root's mounts"))?;
    }
    Ok((prepared, terminal, confinement))
}

/// The number of this process where the shim lives; `None` when that stage shows no `/proc`.
fn own_number() -> Option<u32> {
    let name = std::fs::read_link("/proc/self").ok()?;
    name.to_str()?.parse().ok()
}

/// Puts the root on top of the stage's and mounts into it what the plan says; enters the group on the way.
fn build_root(
    plan: &Plan,
    made: Option<(OwnedFd, Vec<OwnedFd>)>,
    membership: &mut Membership<'_>,
    voice: &Voice,
) -> Result<OwnedFd, Refusal> {
    let failed = |e: SysError| Refusal::failed("cannot build the root", &e);
    // Before: a copy of a private mount would never hear of the machine's.
    let copies = mounts::Copied::of(&plan.steps).map_err(failed)?;
    let (root, sources) = attach_root(plan, made).map_err(failed)?;
    let scene = Scene {
        root: root.as_fd(),
        sources: &sources,
        group: membership.group(),
    };
    for (step, copy) in plan.steps.iter().zip(&copies) {
        if step.needs_the_group() {
            membership.complete(voice)?;
        }
        mounts::apply(&scene, step, copy).map_err(failed)?;
    }
    // Behind the root that is entered next nobody finds the groups of the host.
    membership.complete(voice)?;
    Ok(root)
}

/// Attaches the root over `/`; gives back what the plan binds too.
fn attach_root(
    plan: &Plan,
    made: Option<(OwnedFd, Vec<OwnedFd>)>,
) -> Result<(OwnedFd, Vec<OwnedFd>), SysError> {
    let private = Change {
        propagation: Some(Propagation::Private),
        ..Change::NOTHING
    };
    mount::change(Dir::Here, c"/", Depth::Tree, private)?;
    let (root, sources) = match made {
        Some(made) => made,
        None => {
            let sources = plan.sources.iter().map(mounts::clone);
            (
                mounts::mount_root(&plan.root)?,
                sources.collect::<Result<_, _>>()?,
            )
        }
    };
    // Attached over `/`, where no name of the learner's is looked up; paths from the process's
    // root still lead into the stage until pivot_root.
    let slash = fs::open(Path::new("/"), Access::Directory)?;
    mount::attach(root.as_fd(), Dir::At(slash.as_fd()), c"")?;
    Ok((root, sources))
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

fn enter_root(root: &OwnedFd, entrance: Entrance) -> Result<(), SysError> {
    process::fchdir(root.as_fd())?;
    match entrance {
        Entrance::Pivot => mount::pivot_into_working_directory(),
        Entrance::Chroot => file::chroot_here(),
        Entrance::Stay => Ok(()),
    }
}

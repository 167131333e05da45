//! A second process in a container that runs.

use std::os::fd::{AsFd, OwnedFd};

use kernel::cgroup::Cgroup;
use kernel::error::SysError;
use kernel::namespace::{self, Namespaces};
use kernel::process::{self, Forked, Patience};
use kernel::{pty, signal};

use super::birth::{self, Born};
use super::confinement::{self, Confinement};
use super::init;
use super::program::{self, Prepared, Stdio};
use super::questions;
use super::voice::{self, Voice};
use crate::runtime::handshake::{FromInit, Refusal};
use crate::runtime::process::ProcessPlan;
use crate::stage::Stage;

/// The running container that a process is made in.
#[derive(Debug)]
pub(super) struct Home<'a> {
    /// Where it runs.
    pub(super) stage: &'a Stage,
    /// Its first process.
    pub(super) init: &'a OwnedFd,
    /// Its group.
    pub(super) group: Option<&'a Cgroup>,
    /// The namespaces that its first process has and the caller has not, besides the usual ones.
    pub(super) besides: Namespaces,
}

/// The namespaces every container may have, by their names under `/proc/PID/ns`.
const USUAL: [(&str, Namespaces); 6] = [
    ("pid", Namespaces::PID),
    ("mnt", Namespaces::MOUNT),
    ("net", Namespaces::NETWORK),
    ("uts", Namespaces::UTS),
    ("ipc", Namespaces::IPC),
    ("cgroup", Namespaces::CGROUP),
];

/// Those that a process has and the caller has not. What is shared with the host cannot be entered from a user
/// namespace, not even where one is already.
fn others(pidfd: &OwnedFd) -> Result<Namespaces, SysError> {
    let (theirs, _) = birth::numbers(pidfd, &Stage::Host)?;
    let theirs = i32::try_from(theirs).unwrap_or(i32::MAX);
    let own = std::process::id().cast_signed();
    let mut kinds = Namespaces::NONE;
    for (name, kind) in USUAL {
        if namespace::inode(theirs, name)? != namespace::inode(own, name)? {
            kinds = kinds | kind;
        }
    }
    Ok(kinds)
}

/// Makes a process in the namespaces and the group of the container's first one.
pub(super) fn process(
    home: &Home<'_>,
    plan: &ProcessPlan,
    stdio: Stdio,
    listener: Option<OwnedFd>,
) -> Result<Born, Refusal> {
    let sys = |e: SysError| Refusal::failed("cannot make a process in the container", &e);
    let (ear, voice) = voice::pair().map_err(sys)?;
    let kinds = match home.stage {
        Stage::Host => home.besides | others(home.init).map_err(sys)?,
        Stage::Inner { .. } => USUAL
            .into_iter()
            .fold(home.besides | Namespaces::USER, |all, (_, kind)| all | kind),
    };
    let target = home.init.try_clone();
    let target = target.map_err(|e| sys(SysError::io("dup", e)))?;
    match birth::fork_into(home.group, Namespaces::NONE).map_err(sys)? {
        (Forked::Child, from) => {
            drop(ear);
            birth::join_group(home.group, from, &voice);
            birth::early(plan, &voice);
            birth::enter(vec![(target, kinds)], &voice);
            if home.besides.contains(Namespaces::USER) {
                questions::become_its_root(&voice);
            }
            birth::sibling(Namespaces::NONE, &FromInit::Child, &voice);
            run(plan, stdio, listener, &voice)
        }
        (Forked::Parent(helper), _) => {
            drop((voice, stdio));
            let result = birth::born(ear, None, home.stage, |_, _| Ok(()));
            let _ = process::wait(helper.pidfd.as_fd(), Patience::Wait);
            result
        }
    }
}

fn run(plan: &ProcessPlan, stdio: Stdio, listener: Option<OwnedFd>, voice: &Voice) -> ! {
    // From here on the container's own processes see this one: nothing of it is theirs to read.
    let hidden = process::set_dumpable(process::Dumpable::No);
    if let Err(e) = hidden {
        voice.fail(Refusal::failed("cannot hide the process", &e));
    }
    let (prepared, terminal) = match prepare(plan, stdio) {
        Ok(ready) => ready,
        Err(refusal) => voice.fail(refusal),
    };
    let master = terminal.as_ref().map(|pair| pair.master.as_fd());
    let said = voice.say(&FromInit::Ready, master.as_slice());
    if said.is_err() || !voice.wait_for_go() {
        process::exit(125);
    }
    let slave = terminal.map(|pair| pair.slave);
    let given = Confinement::open(plan, listener, None)
        .and_then(|files| confinement::give_up(plan, &prepared.identity, files));
    if let Err(e) = given.and_then(|()| init::lead(slave.as_ref())) {
        voice.fail(Refusal::failed("cannot give up privileges", &e));
    }
    voice.fail(prepared.program.execute(plan.special.passed))
}

fn prepare(plan: &ProcessPlan, stdio: Stdio) -> Result<(Prepared, Option<pty::Pair>), Refusal> {
    let sys = |e: SysError| Refusal::failed("cannot prepare the process", &e);
    signal::reset_all().map_err(sys)?;
    program::has_directory(&plan.cwd)?;
    let prepared = program::prepare(plan)?;
    let terminal = program::open_streams(stdio, &prepared.identity).map_err(sys)?;
    Ok((prepared, terminal))
}

//! From the shim to a process in the stage, as the shim's own child.
//!
//! `setns(pid)` and a clone with a new pid namespace do not go together in one process (EINVAL):
//! an intermediate joins, its child lives in the joined namespace and clones again. All of them
//! pass their parent on (`CLONE_PARENT`), so that the shim collects every one.

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use kernel::cgroup::{Cgroup, Origin, Version};
use kernel::error::SysError;
use kernel::fs::Access;
use kernel::namespace::{self, Namespaces};
use kernel::process::{self, Forked, Parent, Patience, Signal};
use kernel::procfs;

use super::init::{self, Luggage};
use super::membership::Membership;
use super::questions;
use super::voice::{self, Ear, Voice};
use crate::runtime::handshake::{FromInit, Refusal};
use crate::runtime::namespaces::Kind;
use crate::runtime::plan::{Entrance, Plan};
use crate::runtime::process::ProcessPlan;
use crate::runtime::request::Sharing;
use crate::stage::Stage;

/// A process the shim is the parent of, prepared and waiting for the go.
#[derive(Debug)]
pub(super) struct Born {
    /// Readable when it has ended.
    pub(super) pidfd: OwnedFd,
    /// Its pid in the engine's stage.
    pub(super) engine_pid: u32,
    /// Its pid in the learner's machine.
    pub(super) pid: u32,
    /// Where it speaks from until it executes.
    pub(super) ear: Ear,
    /// The master of its terminal.
    pub(super) master: Option<OwnedFd>,
}

/// What the parent does for the container's first process; beside it, where both have something to do.
pub(super) struct Parental<S, M> {
    /// Makes the process's group, if it has one, and limits it.
    pub(super) settle: S,
    /// Whatever else has to be done before the process is prepared; told its number in the engine's stage.
    pub(super) meanwhile: M,
}

/// Makes the container's first process and waits until it is prepared.
pub(super) fn container<E: From<Refusal>>(
    plan: &Plan,
    luggage: Luggage,
    group: Option<&Cgroup>,
    parental: Parental<impl FnOnce() -> Result<(), E>, impl FnOnce(u32) -> Result<(), E>>,
) -> Result<Born, E> {
    let sys = |e: SysError| Refusal::failed("cannot make the container's process", &e);
    let (ear, voice) = voice::pair().map_err(sys)?;
    let joins = joins(plan).map_err(sys)?;
    if joins.is_empty() && plan.user.is_none() && plan.clocks.is_none() {
        let way = Way { ear, voice };
        return beside(plan, luggage, group, parental, way);
    }
    (parental.settle)()?;
    let new = new_namespaces(plan);
    let joined_pid = joins
        .iter()
        .any(|(_, kinds)| kinds.contains(Namespaces::PID));
    let joined_user = plan.joins.iter().any(|join| join.kind == Kind::User);
    let born = match fork_into(group, Namespaces::NONE).map_err(sys)? {
        (Forked::Child, from) => {
            drop(ear);
            join_group(group, from, &voice);
            early(&plan.process, &voice);
            enter(joins, &voice);
            if joined_user {
                questions::become_its_root(&voice);
            }
            if plan.user.is_some() {
                questions::become_root(&voice);
            }
            if let Some(clocks) = &plan.clocks {
                questions::set_clocks(clocks, &voice);
            }
            if joined_pid && new.contains(Namespaces::PID) {
                sibling(Namespaces::NONE, &FromInit::Helper, &voice);
            }
            sibling(new, &FromInit::Child, &voice);
            let membership = Membership::entered(None, plan.namespaces.cgroup);
            init::run(plan, luggage, membership, voice)
        }
        (Forked::Parent(helper), _) => {
            drop((voice, luggage));
            let result = born(ear, None, &plan.stage, |word, pid| {
                questions::answer(plan, helper.pid, word, pid)
            });
            let _ = process::wait(helper.pidfd.as_fd(), Patience::Wait);
            result?
        }
    };
    match (parental.meanwhile)(born.engine_pid) {
        Ok(()) => Ok(born),
        Err(e) => {
            end(&born.pidfd);
            Err(e)
        }
    }
}

/// Both ends of the conversation.
struct Way {
    ear: Ear,
    voice: Voice,
}

/// Makes a process that only has to be cloned; the parent works beside it.
fn beside<E: From<Refusal>>(
    plan: &Plan,
    luggage: Luggage,
    group: Option<&Cgroup>,
    parental: Parental<impl FnOnce() -> Result<(), E>, impl FnOnce(u32) -> Result<(), E>>,
    Way { ear, voice }: Way,
) -> Result<Born, E> {
    let sys = |e: SysError| Refusal::failed("cannot make the container's process", &e);
    let Parental { settle, meanwhile } = parental;
    // A tree of version 2 alone is made fast, and the process can be born in it.
    let later = group.is_some_and(|group| {
        let trees = group.layout().hierarchies();
        trees.iter().any(|tree| tree.version == Version::V1)
    });
    let mut settle = Some(settle);
    if !later && let Some(settle) = settle.take() {
        settle()?;
    } else if let Some(group) = group {
        let made = group.create_birthplace();
        made.map_err(|e| Refusal::failed("cannot create the container's cgroup", &e))?;
    }
    match fork_into(group, new_namespaces(plan)).map_err(sys)? {
        (Forked::Child, from) => {
            drop(ear);
            let namespace = plan.namespaces.cgroup;
            let membership = match group {
                Some(group) if later => Membership::coming(group, from, namespace),
                _ => {
                    join_group(group, from, &voice);
                    Membership::entered(group, namespace)
                }
            };
            early(&plan.process, &voice);
            init::run(plan, luggage, membership, voice)
        }
        (Forked::Parent(child), _) => {
            drop((voice, luggage));
            let prepared = numbers(&child.pidfd, &plan.stage)
                .map_err(|e| E::from(sys(e)))
                .and_then(|numbers| {
                    if let Some(settle) = settle.take() {
                        settle()?;
                        // It may have ended meanwhile: then it has said why, which is heard below.
                        let _ = ear.go();
                    }
                    meanwhile(numbers.0)?;
                    Ok(numbers)
                });
            match prepared {
                Ok(numbers) => {
                    let known = Known {
                        pidfd: child.pidfd,
                        numbers,
                    };
                    Ok(born(ear, Some(known), &plan.stage, |word, pid| {
                        questions::answer(plan, child.pid, word, pid)
                    })?)
                }
                Err(e) => {
                    end(&child.pidfd);
                    Err(e)
                }
            }
        }
    }
}

/// Goes on in a new process that is the shim's child; the caller ends.
pub(super) fn sibling(new: Namespaces, word: &FromInit, voice: &Voice) {
    match process::fork(new, Parent::CallersParent) {
        Ok(Forked::Child) => {}
        Ok(Forked::Parent(child)) => {
            let said = voice.say(word, &[child.pidfd.as_fd()]);
            process::exit(i32::from(said.is_err()));
        }
        Err(e) => voice.fail(Refusal::failed("cannot make a process in the stage", &e)),
    }
}

/// Makes a child that is born in the group where the kernel can do that, and says whether it did.
pub(super) fn fork_into(
    group: Option<&Cgroup>,
    new: Namespaces,
) -> Result<(Forked, Origin), SysError> {
    let place = group.and_then(|group| group.birthplace().ok().flatten());
    if let Some(place) = &place
        && let Ok(forked) = process::fork_in(new, Parent::Caller, Some(place.as_fd()))
    {
        return Ok((forked, Origin::BornThere));
    }
    // There is no such tree, or clone3 is filtered; if the group takes nobody, entering it tells why.
    Ok((process::fork(new, Parent::Caller)?, Origin::Elsewhere))
}

/// Enters the group of the container, before any namespace hides it.
pub(super) fn join_group(group: Option<&Cgroup>, from: Origin, voice: &Voice) {
    if let Some(group) = group
        && let Err(e) = group.enter(from)
    {
        voice.fail(Refusal::failed("cannot enter the container's cgroup", &e));
    }
}

/// What is done while `/proc` is still the stage's, and no user namespace forbids it yet.
pub(super) fn early(plan: &ProcessPlan, voice: &Voice) {
    let Some(score) = plan.oom_score_adj else {
        return;
    };
    let written = procfs::open_own(Path::new("oom_score_adj"), Access::Write).and_then(|fd| {
        let mut file = std::fs::File::from(fd);
        let written = file.write_all(score.to_string().as_bytes());
        written.map_err(|e| SysError::io("write", e).on("oom_score_adj"))
    });
    if let Err(e) = written {
        voice.fail(Refusal::failed(
            "cannot adjust the score of the OOM killer",
            &e,
        ));
    }
}

/// Enters namespaces in order. What belongs to a user namespace further on in the list, and so is
/// refused at first, is tried again from there.
pub(super) fn enter(joins: Vec<(OwnedFd, Namespaces)>, voice: &Voice) {
    let denied = |e: &SysError| e.source.kind() == std::io::ErrorKind::PermissionDenied;
    let mut again = Vec::new();
    let mut rest = joins.into_iter().peekable();
    while let Some((target, kinds)) = rest.next() {
        let user_follows = rest.peek().is_some() && kinds != Namespaces::USER;
        match namespace::setns(target.as_fd(), kinds) {
            Ok(()) => {}
            Err(e) if denied(&e) && user_follows => again.push((target, kinds)),
            Err(e) => voice.fail(Refusal::failed("cannot enter a namespace", &e)),
        }
    }
    if !again.is_empty() {
        enter(again, voice);
    }
}

fn joins(plan: &Plan) -> Result<Vec<(OwnedFd, Namespaces)>, SysError> {
    let number = |pid: u32| i32::try_from(pid).unwrap_or(i32::MAX);
    let mut joins = Vec::new();
    if let Stage::Inner { pid } = plan.stage {
        let whole = Namespaces::USER
            | Namespaces::PID
            | Namespaces::MOUNT
            | Namespaces::NETWORK
            | Namespaces::UTS
            | Namespaces::IPC
            | Namespaces::CGROUP;
        joins.push((process::pidfd_open(number(pid))?, whole));
    }
    let wishes = &plan.namespaces;
    for (sharing, name, kind) in [
        (wishes.pid, "pid", Namespaces::PID),
        (wishes.ipc, "ipc", Namespaces::IPC),
        (wishes.uts, "uts", Namespaces::UTS),
        (wishes.net, "net", Namespaces::NETWORK),
        (wishes.cgroup, "cgroup", Namespaces::CGROUP),
    ] {
        if let Sharing::Of(pid) = sharing {
            joins.push((namespace::open(number(pid), name)?, kind));
        }
    }
    for join in &plan.joins {
        joins.push((namespace::open_file(&join.path)?, kinds(join.kind)));
    }
    // Last: what belongs to this host can be entered only before, the rest only after.
    joins.sort_by_key(|(_, kinds)| *kinds == Namespaces::USER);
    Ok(joins)
}

fn kinds(kind: Kind) -> Namespaces {
    match kind {
        Kind::User => Namespaces::USER,
        Kind::Pid => Namespaces::PID,
        Kind::Mount => Namespaces::MOUNT,
        Kind::Network => Namespaces::NETWORK,
        Kind::Uts => Namespaces::UTS,
        Kind::Ipc => Namespaces::IPC,
        Kind::Cgroup => Namespaces::CGROUP,
        Kind::Time => Namespaces::TIME,
    }
}

/// What clone makes new; the cgroup namespace comes later, inside the group.
fn new_namespaces(plan: &Plan) -> Namespaces {
    let wishes = &plan.namespaces;
    let mounts = match plan.entrance {
        Entrance::Stay => Namespaces::NONE,
        Entrance::Pivot | Entrance::Chroot => Namespaces::MOUNT,
    };
    [
        (wishes.pid, Namespaces::PID),
        (wishes.ipc, Namespaces::IPC),
        (wishes.uts, Namespaces::UTS),
        (wishes.net, Namespaces::NETWORK),
    ]
    .into_iter()
    .filter(|(sharing, _)| *sharing == Sharing::New)
    .fold(mounts, |all, (_, kind)| all | kind)
}

/// A child of whom all is known from the beginning.
pub(super) struct Known {
    pidfd: OwnedFd,
    numbers: (u32, u32),
}

/// Listens until the process is prepared, collecting the intermediates on the way.
///
/// A question of theirs is handed to `answer`, with the process's number when it is known.
pub(super) fn born(
    ear: Ear,
    known: Option<Known>,
    stage: &Stage,
    mut answer: impl FnMut(&FromInit, u32) -> Result<(), Refusal>,
) -> Result<Born, Refusal> {
    let (mut pidfd, known) = match known {
        Some(Known { pidfd, numbers }) => (Some(pidfd), Some(numbers)),
        None => (None, None),
    };
    let mut question = None;
    let failed = |e: SysError| Refusal::failed("the container's process cannot be heard", &e);
    // Intermediate, helper and child speak for themselves, so their words come in any order:
    // only when the child is known too can a verdict end the conversation. A child that is
    // never collected would keep the container's PID namespace alive beyond its first process.
    let mut verdict = None;
    let result = loop {
        match ear.listen().map_err(failed)? {
            Some((FromInit::Helper, fds)) => {
                if let Some(helper) = fds.first() {
                    let _ = process::wait(helper.as_fd(), Patience::Wait);
                }
            }
            Some((FromInit::Child, mut fds)) => pidfd = fds.pop(),
            Some((FromInit::Ready, mut fds)) => verdict = Some(Ok(fds.pop())),
            Some((FromInit::Failed(refusal), _)) => verdict = Some(Err(refusal)),
            Some((FromInit::Unmapped, _)) => match answer(&FromInit::Unmapped, 0) {
                Ok(()) => ear.go().map_err(failed)?,
                Err(refusal) => break Err(refusal),
            },
            Some((FromInit::Rooted, _)) => question = Some(FromInit::Rooted),
            None => {
                break verdict.unwrap_or_else(|| {
                    let gone = std::io::Error::other("it was killed");
                    let what = "the container's process ended early";
                    Err(Refusal::failed(what, &gone))
                });
            }
        }
        if let Some(known) = &pidfd
            && let Some(word) = question.take()
        {
            let (engine_pid, _) = numbers(known, stage).map_err(failed)?;
            match answer(&word, engine_pid) {
                Ok(()) => ear.go().map_err(failed)?,
                Err(refusal) => break Err(refusal),
            }
        }
        if pidfd.is_some()
            && let Some(verdict) = verdict.take()
        {
            break verdict;
        }
    };
    let (master, pidfd) = match (result, pidfd) {
        (Ok(master), Some(pidfd)) => (master, pidfd),
        (Ok(_), None) => {
            let silent = std::io::Error::other("nobody has named it");
            return Err(Refusal::failed(
                "the container's process is unknown",
                &silent,
            ));
        }
        (Err(refusal), pidfd) => {
            if let Some(pidfd) = pidfd {
                end(&pidfd);
            }
            return Err(refusal);
        }
    };
    let (engine_pid, pid) = match known {
        Some(numbers) => numbers,
        None => numbers(&pidfd, stage).map_err(failed)?,
    };
    Ok(Born {
        pidfd,
        engine_pid,
        pid,
        ear,
        master,
    })
}

/// Ends a child for good and collects it.
pub(super) fn end(pidfd: &OwnedFd) {
    let _ = process::pidfd_send_signal(pidfd.as_fd(), Signal::KILL);
    let _ = process::wait(pidfd.as_fd(), Patience::Wait);
}

/// The numbers of a child of ours: in the engine's stage, and in the learner's machine.
pub(super) fn numbers(pidfd: &OwnedFd, stage: &Stage) -> Result<(u32, u32), SysError> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let info = std::fs::read_to_string(&path).map_err(|e| SysError::io("read", e).on(&path))?;
    let line = info.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers: Vec<u32> = line
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    let number = |place: usize| {
        let missing = || std::io::Error::other("its NSpid line is too short");
        let found = numbers.get(place).copied();
        found.ok_or_else(|| SysError::io("read", missing()).on(&path))
    };
    match stage {
        Stage::Host => Ok((number(0)?, number(0)?)),
        Stage::Inner { .. } => Ok((number(0)?, number(1)?)),
    }
}

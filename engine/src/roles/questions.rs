//! What a process on its way asks of its parent, and the answers: ids and hooks.

use kernel::child;
use kernel::error::SysError;
use kernel::namespace::{self, Ids, Namespaces};
use kernel::process::{self, Dumpable};

use super::hooks;
use super::voice::Voice;
use crate::rootless::Maps;
use crate::runtime::handshake::{FromInit, Refusal};
use crate::runtime::mounts;
use crate::runtime::namespaces::{Clock, Extent, UserNamespace};
use crate::runtime::plan::Plan;

/// Enters a new user namespace and becomes its root, once the parent has given it ids.
pub(super) fn become_root(voice: &Voice) {
    let fail = |e: SysError| -> ! {
        voice.fail(Refusal::failed("cannot make a user namespace", &e));
    };
    // The parent may write the maps only of a process it may look into.
    let made =
        process::set_dumpable(Dumpable::Yes).and_then(|()| namespace::unshare(Namespaces::USER));
    if let Err(e) = made {
        fail(e);
    }
    voice.ask(&FromInit::Unmapped);
    become_its_root(voice);
}

/// Becomes root of the user namespace this process is in.
pub(super) fn become_its_root(voice: &Voice) {
    let fail = |e: SysError| -> ! {
        voice.fail(Refusal::failed("cannot be root of the user namespace", &e));
    };
    // Where an ordinary user mapped its own group alone, this is forbidden and needless.
    let _ = process::set_groups(&[]);
    match child::set_ids(0, 0) {
        // A map without a root: capabilities it has all the same.
        Err(e) if e.source.raw_os_error() == Some(EINVAL) => {}
        Err(e) => fail(e),
        Ok(()) => {}
    }
    if let Err(e) = process::set_dumpable(Dumpable::Yes) {
        fail(e);
    }
}

const EINVAL: i32 = 22;

/// Makes a time namespace for the children of this process.
pub(super) fn set_clocks(clocks: &[Clock], voice: &Voice) {
    let set =
        |clock: &Clock| namespace::set_clock_offset(&clock.name, clock.seconds, clock.nanoseconds);
    let made = namespace::unshare(Namespaces::TIME).and_then(|()| clocks.iter().try_for_each(set));
    if let Err(e) = made {
        voice.fail(Refusal::failed("cannot make a time namespace", &e));
    }
}

/// Answers a question: `helper` is who asks for ids, `pid` whom hooks are about.
pub(super) fn answer(
    plan: &Plan,
    helper: i32,
    question: &FromInit,
    pid: u32,
) -> Result<(), Refusal> {
    match (question, &plan.user) {
        (FromInit::Unmapped, Some(user)) => map(user, helper),
        (FromInit::Rooted, _) => {
            let state = hooks::state(&plan.hooks, "creating", Some(pid));
            hooks::run(&plan.hooks.prestart, &state)?;
            hooks::run(&plan.hooks.create_runtime, &state)
        }
        _ => Ok(()),
    }
}

/// Gives a process the ids of its user namespace.
pub(super) fn map(user: &UserNamespace, pid: i32) -> Result<(), Refusal> {
    let failed = |e: SysError| Refusal::failed("cannot map the ids of the user namespace", &e);
    let uid = process::effective_uid();
    if uid == 0 {
        let write =
            |ids, extents: &[Extent]| namespace::write_id_map(pid, ids, &mounts::id_lines(extents));
        return write(Ids::Users, &user.users)
            .and_then(|()| write(Ids::Groups, &user.groups))
            .map_err(failed);
    }
    let alone = |extents: &[Extent]| matches!(extents, [Extent { count: 1, .. }]);
    if alone(&user.users) && alone(&user.groups) {
        return namespace::deny_setgroups(pid)
            .and_then(|()| namespace::write_id_map(pid, Ids::Users, &mounts::id_lines(&user.users)))
            .and_then(|()| {
                namespace::write_id_map(pid, Ids::Groups, &mounts::id_lines(&user.groups))
            })
            .map_err(failed);
    }
    // An ordinary user's further ids are given by programs that read `/etc/subuid`.
    let maps = Maps {
        users: mounts::id_lines(&user.users),
        groups: mounts::id_lines(&user.groups),
    };
    maps.write(pid)
        .map_err(|e| Refusal::failed("cannot map the ids of the user namespace", &e))
}

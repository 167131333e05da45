//! Copies of mounts, attached nowhere: made, changed, and later moved into a container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use kernel::error::SysError;
use kernel::fs::{self, Access, Dir};
use kernel::mount::{self, Change, Depth};
use kernel::namespace::{self, IdMap, Ids};
use kernel::process::{self, Forked, Parent, Patience, Signal};

use super::apply::{attributes, c};
use super::{Attributes, Bound, Flag, Propagation, Reach, Way};
use crate::runtime::namespaces::{Extent, UserNamespace};

/// A copy of the mounts at a path of this mount namespace, changed as wished.
pub(crate) fn clone(bound: &Bound) -> Result<OwnedFd, SysError> {
    let on = |e: SysError| e.on(bound.path.to_string_lossy());
    let tree = match &bound.inside {
        None => mount::clone_tree(
            Dir::Here,
            &c(&bound.path.to_string_lossy()),
            depth(bound.reach),
        )?,
        Some(inside) => {
            // Whoever writes there may exchange a directory for a link at any time: the way is gone once.
            let root = fs::open(&bound.path, Access::Directory)?;
            let place = fs::open_beneath(root.as_fd(), inside, Access::Path)?;
            mount::clone_tree(Dir::At(place.as_fd()), c"", depth(bound.reach))?
        }
    };
    let private = Propagation {
        way: Way::Private,
        reach: bound.reach,
    };
    propagate(tree.as_fd(), bound.propagation.unwrap_or(private)).map_err(on)?;
    change(tree.as_fd(), &bound.below, Reach::Tree).map_err(on)?;
    change(tree.as_fd(), &bound.own, Reach::One).map_err(on)?;
    if let Some((map, reach)) = &bound.id_map {
        let namespace = namespace_with(map)?;
        let seen_through = Change {
            id_map: Some(namespace.as_fd()),
            ..Change::NOTHING
        };
        mount::change_detached(tree.as_fd(), depth(*reach), seen_through)
            .map_err(|e| e.on(format!("{} (idmap)", bound.path.display())))?;
    }
    Ok(tree)
}

/// A copy of the mounts at a path of this stage that hears nothing of the original's changes.
pub(super) fn clone_private(path: &Path) -> Result<OwnedFd, SysError> {
    clone(&Bound::whole(path.to_owned()))
}

/// Sets how a mount's events travel.
pub(super) fn propagate(mount: BorrowedFd<'_>, how: Propagation) -> Result<(), SysError> {
    let propagation = match how.way {
        Way::Private => mount::Propagation::Private,
        Way::Slave => mount::Propagation::Slave,
        Way::Shared => mount::Propagation::Shared,
        Way::Unbindable => mount::Propagation::Unbindable,
    };
    let change = Change {
        propagation: Some(propagation),
        ..Change::NOTHING
    };
    mount::change_detached(mount, depth(how.reach), change)
}

fn change(mount: BorrowedFd<'_>, wanted: &Attributes, reach: Reach) -> Result<(), SysError> {
    if *wanted == Attributes::default() {
        return Ok(());
    }
    let set = attributes(&wanted.set);
    let times = |flag: &Flag| matches!(flag, Flag::RelAtime | Flag::StrictAtime | Flag::NoAtime);
    let mut clear = attributes(&wanted.clear).without(set);
    if wanted.set.iter().chain(&wanted.clear).any(times) {
        // One choice among several: clearing all makes room for the chosen, or for the usual one.
        clear = clear | mount::Attributes::ANY_ATIME;
    }
    let change = Change {
        set,
        clear,
        ..Change::NOTHING
    };
    mount::change_detached(mount, depth(reach), change)
}

pub(super) fn depth(reach: Reach) -> Depth {
    match reach {
        Reach::One => Depth::One,
        Reach::Tree => Depth::Tree,
    }
}

/// A user namespace with these ids, in which nobody lives: it is only a map.
fn namespace_with(map: &UserNamespace) -> Result<OwnedFd, SysError> {
    match process::fork(kernel::namespace::Namespaces::USER, Parent::Caller)? {
        Forked::Child => {
            // It only has to be there until its namespace is open.
            let _ = kernel::poll::wait(&[], None);
            process::exit(0)
        }
        Forked::Parent(child) => {
            let opened = namespace::write_id_map(child.pid, Ids::Users, &lines(&map.users))
                .and_then(|()| namespace::write_id_map(child.pid, Ids::Groups, &lines(&map.groups)))
                .and_then(|()| namespace::open(child.pid, "user"));
            let _ = process::pidfd_send_signal(child.pidfd.as_fd(), Signal::KILL);
            let _ = process::wait(child.pidfd.as_fd(), Patience::Wait);
            opened
        }
    }
}

/// The lines of an id map as the kernel takes them.
pub(crate) fn lines(extents: &[Extent]) -> Vec<IdMap> {
    let line = |extent: &Extent| IdMap {
        inside: extent.inside,
        outside: extent.outside,
        count: extent.count,
    };
    extents.iter().map(line).collect()
}

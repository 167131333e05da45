//! When a container's first process enters its control group.
//!
//! On version 1 a group is a directory in each of a dozen trees. They are made by the parent while the process builds its
//! root, and the process enters them when it cannot go on without: before the first step that shows its groups or is
//! counted by them, and before its root is entered, behind which the trees can no longer be named.

use kernel::cgroup::{Cgroup, Origin};
use kernel::namespace::{self, Namespaces};
use kernel::process;

use super::voice::Voice;
use crate::runtime::handshake::Refusal;
use crate::runtime::request::Sharing;

/// What is still to be done until a process is in its group.
#[derive(Debug)]
pub(super) struct Membership<'a> {
    group: Option<&'a Cgroup>,
    coming: Option<Origin>,
    namespace: Option<Namespaces>,
}

impl<'a> Membership<'a> {
    /// The parent makes the group meanwhile, and says go when it is there.
    pub(super) fn coming(group: &'a Cgroup, from: Origin, namespace: Sharing) -> Self {
        Self {
            group: Some(group),
            coming: Some(from),
            namespace: wanted(namespace),
        }
    }

    /// The process is in this group already, or has none; `group` is `None` too where this mount namespace does not show
    /// the group as the parent names it.
    pub(super) fn entered(group: Option<&'a Cgroup>, namespace: Sharing) -> Self {
        Self {
            group,
            coming: None,
            namespace: wanted(namespace),
        }
    }

    /// Whether the group is not there yet.
    pub(super) fn is_coming(&self) -> bool {
        self.coming.is_some()
    }

    /// The group, as this mount namespace shows it.
    pub(super) fn group(&self) -> Option<&'a Cgroup> {
        self.group
    }

    /// Enters the group, having waited for it, and makes its namespace; once.
    pub(super) fn complete(&mut self, voice: &Voice) -> Result<(), Refusal> {
        if let (Some(group), Some(from)) = (self.group, self.coming.take()) {
            if !voice.wait_for_go() {
                process::exit(125);
            }
            let entered = group.enter(from);
            entered.map_err(|e| Refusal::failed("cannot enter the container's cgroup", &e))?;
        }
        // Only now, inside its group: a cgroup namespace begins where its maker is.
        if let Some(kind) = self.namespace.take() {
            let made = namespace::unshare(kind);
            made.map_err(|e| Refusal::failed("cannot make a cgroup namespace", &e))?;
        }
        Ok(())
    }
}

fn wanted(namespace: Sharing) -> Option<Namespaces> {
    (namespace == Sharing::New).then_some(Namespaces::CGROUP)
}

//! The control groups that a user may divide: those of version 2 that root handed over; see cgroups(7), "Delegation".

use std::path::{Path, PathBuf};

use kernel::cgroup::{Layout, Version};

/// The group in which the engine, its parent and its shims are: groups that have children with limits may hold no
/// process themselves.
const LEAF: &str = "engine";

/// The group of this process, if it is the user's to divide.
#[derive(Debug)]
pub(super) struct Delegated {
    leaf: PathBuf,
}

impl Delegated {
    /// Looks, and makes the leaf. On a host with trees of version 1 nothing is delegated safely.
    pub(super) fn find() -> Option<Self> {
        let layout = Layout::detect().ok()?;
        let [only] = layout.hierarchies() else {
            return None;
        };
        let own = layout.own_directories().ok()?.pop()?;
        if only.version != Version::V2 || own == only.mount {
            return None;
        }
        let leaf = own.join(LEAF);
        match std::fs::create_dir(&leaf) {
            Ok(()) => Some(Self { leaf }),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                (move_into(&leaf).is_ok()).then_some(Self { leaf })
            }
            Err(_) => None,
        }
    }

    /// The leaf's directory.
    pub(super) fn leaf(&self) -> &Path {
        &self.leaf
    }

    /// Moves a process into the leaf.
    pub(super) fn take(&self, pid: i32) -> std::io::Result<()> {
        std::fs::write(self.leaf.join("cgroup.procs"), pid.to_string())
    }
}

/// Moves this process into a group; see cgroups(7).
pub(super) fn move_into(group: &Path) -> std::io::Result<()> {
    // To the kernel 0 is whoever writes.
    std::fs::write(group.join("cgroup.procs"), "0")
}

/// The group of another process in the tree of version 2, if that is all there is.
pub(super) fn group_of(pid: i32) -> Option<PathBuf> {
    let layout = Layout::detect().ok()?;
    let [only] = layout.hierarchies() else {
        return None;
    };
    if only.version != Version::V2 {
        return None;
    }
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = only.own_path(&text);
    path.ends_with(LEAF).then(|| only.mount.join(path))
}

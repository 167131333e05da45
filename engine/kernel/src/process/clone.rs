//! Copies of this process, in the same or in new namespaces.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::SysError;
use crate::namespace::Namespaces;

/// A child and the descriptor that names it without the danger of a reused number.
#[derive(Debug)]
pub struct Child {
    /// Its number in the caller's pid namespace.
    pub pid: i32,
    /// Readable when it has ended.
    pub pidfd: OwnedFd,
}

/// Which side of a fork we are on.
#[derive(Debug)]
pub enum Forked {
    /// In the new process.
    Child,
    /// In the caller.
    Parent(Child),
}

/// Whose child the new process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// The caller's.
    Caller,
    /// The caller's parent's (`CLONE_PARENT`): a sibling, which the parent reaps.
    CallersParent,
}

/// Copies this process into new namespaces; see clone3(2).
///
/// Refuses when the process has several threads: only the caller would exist in the child, and
/// locks held by the others would stay locked for ever.
pub fn fork(kinds: Namespaces, parent: Parent) -> Result<Forked, SysError> {
    fork_in(kinds, parent, None)
}

/// As [`fork`], with the child born in the control group (v2) that `cgroup` is a directory of.
pub fn fork_in(
    kinds: Namespaces,
    parent: Parent,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Forked, SysError> {
    alone()?;
    let mut pidfd: libc::c_int = -1;
    let mut flags = u64::from(kinds.bits().cast_unsigned()) | libc::CLONE_PIDFD as u64;
    let mut exit_signal = libc::SIGCHLD as u64;
    if parent == Parent::CallersParent {
        flags |= libc::CLONE_PARENT as u64;
        // The kernel takes the caller's own exit signal then, and refuses another.
        exit_signal = 0;
    }
    let mut group = 0;
    if let Some(fd) = cgroup {
        const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
        flags |= CLONE_INTO_CGROUP;
        group = u64::from(fd.as_raw_fd().cast_unsigned());
    }
    let args = libc::clone_args {
        flags,
        pidfd: (&raw mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: group,
    };
    // SAFETY: without CLONE_VM the child gets its own copy of memory and goes on at this very
    // point, as after fork(2); `args` and `pidfd` are live locals; the process has one thread
    // (checked above), so no lock is left held by a thread that does not exist in the child.
    let ret = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    let filtered = ret < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS);
    let ret = if filtered && cgroup.is_none() {
        // A container's seccomp filter cannot look into clone3's arguments and so refuses the
        // call as if it were unknown; the older clone(2) takes the same flags by value.
        let flags = flags | exit_signal;
        // SAFETY: as above; a null stack means the caller's own, copied.
        unsafe {
            libc::syscall(
                libc::SYS_clone,
                flags,
                0usize,
                &raw mut pidfd,
                0usize,
                0usize,
            )
        }
    } else {
        ret
    };
    SysError::check("clone", ret)?;
    if ret == 0 {
        return Ok(Forked::Child);
    }
    // SAFETY: the call succeeded with CLONE_PIDFD, so `pidfd` is a new descriptor nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = i32::try_from(ret).expect("a pid fits in an int");
    Ok(Forked::Parent(Child { pid, pidfd }))
}

fn alone() -> Result<(), SysError> {
    // Without a readable /proc there is nothing to count; the roles that fork start no thread.
    let Ok(entries) = std::fs::read_dir("/proc/self/task") else {
        return Ok(());
    };
    if entries.count() > 1 {
        let source = std::io::Error::other("the process has several threads");
        return Err(SysError::io("clone3", source));
    }
    Ok(())
}

/// Ends this process at once, without running anything that was registered for its end.
pub fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) takes its argument by value and does not return.
    unsafe { libc::_exit(code) }
}

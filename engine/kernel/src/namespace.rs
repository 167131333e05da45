//! Namespaces: making them, joining them, and the id maps of a user namespace.

use std::ffi::CString;
use std::fmt::Write as _;
use std::ops::BitOr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::SysError;

/// A set of namespace kinds; see namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespaces(libc::c_int);

impl Namespaces {
    /// No namespace.
    pub const NONE: Self = Self(0);
    /// Users and capabilities.
    pub const USER: Self = Self(libc::CLONE_NEWUSER);
    /// Process numbers.
    pub const PID: Self = Self(libc::CLONE_NEWPID);
    /// Mounts.
    pub const MOUNT: Self = Self(libc::CLONE_NEWNS);
    /// Network devices, addresses, routes, ports.
    pub const NETWORK: Self = Self(libc::CLONE_NEWNET);
    /// Host name.
    pub const UTS: Self = Self(libc::CLONE_NEWUTS);
    /// System V and POSIX message queues, shared memory, semaphores.
    pub const IPC: Self = Self(libc::CLONE_NEWIPC);
    /// The visible root of the control groups.
    pub const CGROUP: Self = Self(libc::CLONE_NEWCGROUP);
    /// The monotonic clock and the one since the boot.
    pub const TIME: Self = Self(libc::CLONE_NEWTIME);

    /// Whether all kinds of `other` are in this set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits as clone(2) takes them.
    pub fn bits(self) -> libc::c_int {
        self.0
    }
}

impl BitOr for Namespaces {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Moves this process into new namespaces; see unshare(2).
///
/// A new pid or time namespace is for the children only.
pub fn unshare(kinds: Namespaces) -> Result<(), SysError> {
    // SAFETY: unshare(2) takes its argument by value and touches no memory of ours. The flags can
    // only name namespaces, so nothing that Rust relies on (memory, descriptors) stops being shared.
    let ret = unsafe { libc::unshare(kinds.0) };
    SysError::check("unshare", ret.into())
}

/// Joins the namespaces of `kinds` that `target` names; see setns(2).
///
/// `target` is one namespace (`/proc/PID/ns/…`) or a pidfd, which stands for all of its process.
pub fn setns(target: BorrowedFd<'_>, kinds: Namespaces) -> Result<(), SysError> {
    // SAFETY: setns(2) takes a descriptor that `target` keeps open, and flags by value.
    let ret = unsafe { libc::setns(target.as_raw_fd(), kinds.0) };
    SysError::check("setns", ret.into())
}

/// Opens one namespace of a process, such as `user` or `net`, by the name under `/proc/PID/ns`.
pub fn open(pid: i32, name: &str) -> Result<OwnedFd, SysError> {
    open_path(&format!("/proc/{pid}/ns/{name}"))
}

/// Opens one namespace of this process.
pub fn open_own(name: &str) -> Result<OwnedFd, SysError> {
    open_path(&format!("/proc/thread-self/ns/{name}"))
}

/// Opens a namespace by any path that leads to one.
pub fn open_file(path: &std::path::Path) -> Result<OwnedFd, SysError> {
    open_path(&path.to_string_lossy())
}

fn open_path(path: &str) -> Result<OwnedFd, SysError> {
    let c = CString::new(path)
        .map_err(|_| SysError::io("open", std::io::ErrorKind::InvalidInput.into()).on(path))?;
    // SAFETY: the path is a `CString` that outlives the call; the kernel only reads it.
    let ret = unsafe { libc::open(c.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    SysError::check("open", ret.into()).map_err(|e| e.on(path))?;
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(ret) })
}

/// Whether this process is in the user namespace that the kernel started with; see linux/proc_ns.h.
pub fn is_initial_user() -> Result<bool, SysError> {
    const PROC_USER_INIT_INO: u64 = 0xEFFF_FFFD;
    let own = i32::try_from(std::process::id()).expect("a pid is an int");
    Ok(inode(own, "user")? == PROC_USER_INIT_INO)
}

/// Whether the user namespace of this process has one user only, as an ordinary user without further ids makes it.
pub fn has_single_user() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let mut lines = map.lines();
    let count = lines.next().and_then(|line| line.split_whitespace().nth(2));
    count == Some("1") && lines.next().is_none()
}

/// The number that identifies a namespace: the inode of its file.
pub fn inode(pid: i32, name: &str) -> Result<u64, SysError> {
    use std::os::unix::fs::MetadataExt;
    let path = format!("/proc/{pid}/ns/{name}");
    std::fs::metadata(&path)
        .map(|meta| meta.ino())
        .map_err(|source| SysError::io("stat", source).on(path))
}

/// A line of `/proc/PID/uid_map` or `gid_map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMap {
    /// First id inside the namespace.
    pub inside: u32,
    /// First id in the parent namespace.
    pub outside: u32,
    /// How many ids.
    pub count: u32,
}

/// Gives the user namespace of `pid` its user and group ids: the same lines for both.
///
/// The kernel accepts this once, as one write, from a process with SETUID and SETGID in the parent
/// namespace; `pid` must be dumpable.
pub fn write_id_maps(pid: i32, lines: &[IdMap]) -> Result<(), SysError> {
    write_id_map(pid, Ids::Users, lines)?;
    write_id_map(pid, Ids::Groups, lines)
}

/// Which ids a map is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// `uid_map`.
    Users,
    /// `gid_map`.
    Groups,
}

/// Gives the user namespace of `pid` its users or its groups; see [`write_id_maps`].
pub fn write_id_map(pid: i32, ids: Ids, lines: &[IdMap]) -> Result<(), SysError> {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{} {} {}", line.inside, line.outside, line.count);
    }
    let file = match ids {
        Ids::Users => "uid_map",
        Ids::Groups => "gid_map",
    };
    write(&format!("/proc/{pid}/{file}"), &text)
}

/// Forbids setgroups(2) in the user namespace of `pid`: only then may an ordinary user map its
/// own group.
pub fn deny_setgroups(pid: i32) -> Result<(), SysError> {
    write(&format!("/proc/{pid}/setgroups"), "deny")
}

/// Sets a clock (`monotonic`, `boottime`) of the time namespace that the children of this process
/// will be in, before there is any; see time_namespaces(7).
pub fn set_clock_offset(clock: &str, seconds: i64, nanoseconds: u32) -> Result<(), SysError> {
    let text = format!("{clock} {seconds} {nanoseconds}");
    write("/proc/self/timens_offsets", &text)
}

fn write(path: &str, text: &str) -> Result<(), SysError> {
    std::fs::write(path, text).map_err(|source| SysError::io("write", source).on(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_contains_its_members() {
        let set = Namespaces::PID | Namespaces::MOUNT;
        assert!(set.contains(Namespaces::PID));
        assert!(!set.contains(Namespaces::PID | Namespaces::USER));
    }

    #[test]
    fn the_same_namespace_has_the_same_inode() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(inode(own, "mnt").unwrap(), inode(own, "mnt").unwrap());
    }
}

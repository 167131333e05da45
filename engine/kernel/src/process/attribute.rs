//! What a process is to others: its ids, its name, whether it may be looked into.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::Signal;
use crate::error::SysError;

/// Whether others of the same user may trace this process and open its `/proc` files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dumpable {
    /// They may.
    Yes,
    /// Only who has SYS_PTRACE in the user namespace the program was executed in.
    No,
}

/// Sets who may look into this process; see PR_SET_DUMPABLE(2const).
pub fn set_dumpable(dumpable: Dumpable) -> Result<(), SysError> {
    prctl(
        "prctl PR_SET_DUMPABLE",
        libc::PR_SET_DUMPABLE,
        u64::from(dumpable == Dumpable::Yes),
    )
}

/// Has the kernel send `signal` to this process when its parent's thread ends.
pub fn set_parent_death_signal(signal: Signal) -> Result<(), SysError> {
    let number = u64::from(signal.0.cast_unsigned());
    prctl("prctl PR_SET_PDEATHSIG", libc::PR_SET_PDEATHSIG, number)
}

/// No program executed from now on gains privileges by its file; see PR_SET_NO_NEW_PRIVS(2const).
pub fn set_no_new_privileges() -> Result<(), SysError> {
    prctl("prctl PR_SET_NO_NEW_PRIVS", libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// Whether the permitted capabilities survive a change of the user id from root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepCapabilities {
    /// They survive.
    Yes,
    /// They go.
    No,
}

/// Sets whether capabilities survive a change of the user; see PR_SET_KEEPCAPS(2const).
pub fn set_keep_capabilities(keep: KeepCapabilities) -> Result<(), SysError> {
    prctl(
        "prctl PR_SET_KEEPCAPS",
        libc::PR_SET_KEEPCAPS,
        u64::from(keep == KeepCapabilities::Yes),
    )
}

/// Orphans among the descendants become children of this process.
pub fn become_subreaper() -> Result<(), SysError> {
    prctl(
        "prctl PR_SET_CHILD_SUBREAPER",
        libc::PR_SET_CHILD_SUBREAPER,
        1,
    )
}

/// The name shown by `ps`, cut at 15 bytes.
pub fn set_name(name: &CStr) -> Result<(), SysError> {
    prctl(
        "prctl PR_SET_NAME",
        libc::PR_SET_NAME,
        name.as_ptr().expose_provenance() as u64,
    )
}

fn prctl(call: &'static str, option: libc::c_int, value: u64) -> Result<(), SysError> {
    // SAFETY: the options used in this file take one number, or (PR_SET_NAME) the address of a C
    // string that the caller borrows; the unused arguments must be zero and are.
    let ret = unsafe { libc::prctl(option, value, 0u64, 0u64, 0u64) };
    SysError::check(call, ret.into())
}

/// Becomes this user and group in all three ids, with no supplementary group.
pub fn become_user(uid: u32, gid: u32) -> Result<(), SysError> {
    // The raw calls change this thread only; glibc's would signal all threads, and the callers
    // have one.
    let none = std::ptr::null::<libc::gid_t>();
    // SAFETY: setgroups(2) with a length of zero reads nothing through the pointer.
    let ret = unsafe { libc::syscall(libc::SYS_setgroups, 0, none) };
    SysError::check("setgroups", ret)?;
    // SAFETY: setresgid(2) takes its arguments by value.
    let ret = unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) };
    SysError::check("setresgid", ret).map_err(|e| e.on(gid.to_string()))?;
    // SAFETY: setresuid(2) takes its arguments by value.
    let ret = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
    SysError::check("setresuid", ret).map_err(|e| e.on(uid.to_string()))
}

/// Sets the supplementary groups; see setgroups(2).
pub fn set_groups(groups: &[u32]) -> Result<(), SysError> {
    // SAFETY: the pointer and the length describe one live slice of group ids.
    let ret = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    SysError::check("setgroups", ret)
}

/// The effective user id.
pub fn effective_uid() -> u32 {
    // SAFETY: geteuid(2) takes nothing and always succeeds.
    unsafe { libc::geteuid() }
}

/// The effective group id.
pub fn effective_gid() -> u32 {
    // SAFETY: getegid(2) takes nothing and always succeeds.
    unsafe { libc::getegid() }
}

/// Leads a new session without a terminal; see setsid(2).
pub fn setsid() -> Result<(), SysError> {
    // SAFETY: setsid(2) takes no argument and touches no memory of ours.
    let ret = unsafe { libc::setsid() };
    SysError::check("setsid", ret.into())
}

/// A new empty session keyring, so that none is shared with whoever started us.
pub fn join_new_session_keyring() -> Result<(), SysError> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name asks for an anonymous keyring; nothing is read through it.
    let ret = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) };
    SysError::check("keyctl JOIN_SESSION_KEYRING", ret)
}

/// The host name of this UTS namespace.
pub fn set_host_name(name: &str) -> Result<(), SysError> {
    // SAFETY: the pointer and the length describe one live string; the kernel only reads it.
    let ret = unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) };
    SysError::check("sethostname", ret.into())
}

/// The domain name of this UTS namespace.
pub fn set_domain_name(name: &str) -> Result<(), SysError> {
    // SAFETY: the pointer and the length describe one live string; the kernel only reads it.
    let ret = unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) };
    SysError::check("setdomainname", ret.into())
}

/// The bits that new files of this process do not get.
pub fn umask(mask: u32) {
    // SAFETY: umask(2) takes its argument by value and always succeeds.
    unsafe { libc::umask(mask) };
}

/// The working directory becomes what `dir` is open on.
pub fn fchdir(dir: BorrowedFd<'_>) -> Result<(), SysError> {
    // SAFETY: fchdir(2) takes a descriptor that `dir` keeps open.
    let ret = unsafe { libc::fchdir(dir.as_raw_fd()) };
    SysError::check("fchdir", ret.into())
}

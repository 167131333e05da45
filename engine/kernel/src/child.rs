//! What a process does to itself just before it becomes another program.

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::error::SysError;

/// The three descriptors every program expects to be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// 0.
    Input,
    /// 1.
    Output,
    /// 2.
    Error,
}

/// Makes a standard descriptor name the same open file as `fd`; see dup2(2).
pub fn redirect(fd: BorrowedFd<'_>, to: Standard) -> Result<(), SysError> {
    let number = match to {
        Standard::Input => 0,
        Standard::Output => 1,
        Standard::Error => 2,
    };
    if fd.as_raw_fd() == number {
        // SAFETY: F_SETFD takes its argument by value.
        let ret = unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
        return SysError::check("fcntl F_SETFD", ret.into());
    }
    // SAFETY: dup2(2) takes its arguments by value. No owned value names a standard descriptor:
    // the standard library opens and closes none of the three.
    let ret = unsafe { libc::dup2(fd.as_raw_fd(), number) };
    SysError::check("dup2", ret.into())
}

/// Becomes this user and group with these supplementary groups, for good.
pub fn set_identity(uid: u32, gid: u32, groups: &[u32]) -> Result<(), SysError> {
    crate::process::set_groups(groups)?;
    set_ids(uid, gid)
}

/// Becomes this user and group in all three ids; supplementary groups stay.
pub fn set_ids(uid: u32, gid: u32) -> Result<(), SysError> {
    // The system calls, not the C library's functions, which would look for other threads.
    // SAFETY: setresgid(2) takes its arguments by value.
    let ret = unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) };
    SysError::check("setresgid", ret).map_err(|e| e.on(gid.to_string()))?;
    // SAFETY: setresuid(2) takes its arguments by value.
    let ret = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
    SysError::check("setresuid", ret).map_err(|e| e.on(uid.to_string()))
}

/// Closes every descriptor but 0 to 2 and `keep`, does `then`, and ends the process: whatever a
/// parent left open in a forked child is let go. Comes back only if that failed.
pub fn abandon_all_but(keep: BorrowedFd<'_>, then: impl FnOnce()) -> SysError {
    let kept = keep.as_raw_fd().cast_unsigned();
    let ranges = [
        (3, kept.saturating_sub(1)),
        (kept.max(2) + 1, libc::c_uint::MAX),
    ];
    for (first, last) in ranges.into_iter().filter(|(first, last)| first <= last) {
        // SAFETY: close_range(2) takes its arguments by value. Values that own the closed
        // descriptors exist further up the stack, but their code never runs again: the process
        // ends below, and `then` uses only what `keep` borrows.
        let ret = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        if let Err(e) = SysError::check("close_range", ret) {
            return e;
        }
    }
    then();
    crate::process::exit(125)
}

//! Becoming another program, and what it inherits.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::error::SysError;

/// Replaces this process by the program at `path`; returns only when that failed.
pub fn execve(path: &CStr, argv: &[CString], env: &[CString]) -> SysError {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: the path and both arrays, which end with a null pointer, point to C strings borrowed
    // for the whole call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    SysError::last("execve").on(path.to_string_lossy())
}

/// Replaces this process by the program that `file` is open on; returns only when that failed.
pub fn fexecve(file: BorrowedFd<'_>, argv: &[CString], env: &[CString]) -> SysError {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: the empty path and both arrays, which end with a null pointer, point to C strings
    // borrowed for the whole call; `file` stays open during it.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            env.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    SysError::last("execveat")
}

/// A program to execute.
#[derive(Clone, Copy, Debug)]
pub enum Program<'a> {
    /// What a descriptor is open on: nobody can replace it meanwhile.
    Open(BorrowedFd<'a>),
    /// What is at a path.
    At(&'a CStr),
}

/// Replaces this process by `program`, with exactly the descriptors of
/// `plan` (which one, under which number) open; returns only when that failed.
///
/// When it fails, descriptors of this process may have been closed or replaced: say so and exit.
pub fn execute_with(
    program: Program<'_>,
    argv: &[CString],
    env: &[CString],
    plan: &[(RawFd, RawFd)],
) -> SysError {
    // First away from the numbers that will be written to, then into place.
    let above = plan.iter().map(|(_, to)| *to).max().unwrap_or(2) + 1;
    let away = |fd: RawFd| {
        // SAFETY: F_DUPFD_CLOEXEC takes its argument by value.
        let ret = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, above) };
        SysError::check("fcntl F_DUPFD_CLOEXEC", ret.into()).map(|()| ret)
    };
    let moved: Result<Vec<_>, _> = plan
        .iter()
        .map(|(from, to)| Ok((away(*from)?, *to)))
        .collect();
    let file = match program {
        Program::Open(file) => away(file.as_raw_fd()).map(Some),
        Program::At(_) => Ok(None),
    };
    let (moved, file) = match (moved, file) {
        (Ok(moved), Ok(file)) => (moved, file),
        (Err(e), _) | (_, Err(e)) => return e,
    };
    if let Err(e) = close_on_exec_from_3() {
        return e;
    }
    for (from, to) in moved {
        // SAFETY: dup2(2) takes its arguments by value. What `to` was open on is closed: this
        // process is about to be replaced, and on failure only reports and exits.
        let ret = unsafe { libc::dup2(from, to) };
        if let Err(e) = SysError::check("dup2", ret.into()) {
            return e;
        }
    }
    match (program, file) {
        // SAFETY: `file` was opened above and is not closed before the exec.
        (_, Some(file)) => fexecve(unsafe { BorrowedFd::borrow_raw(file) }, argv, env),
        (Program::At(path), None) => execve(path, argv, env),
        (Program::Open(_), None) => unreachable!("an open program was moved above"),
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    let mut all: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
    all.push(std::ptr::null());
    all
}

/// Has an exec close every descriptor from 3 on.
pub fn close_on_exec_from_3() -> Result<(), SysError> {
    close_on_exec_from(3)
}

/// Has an exec close every descriptor from this number on.
pub fn close_on_exec_from(first: u32) -> Result<(), SysError> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    let last = libc::c_uint::MAX;
    // SAFETY: close_range(2) takes its arguments by value, and with this flag closes nothing now.
    let ret = unsafe { libc::syscall(libc::SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) };
    SysError::check("close_range", ret)
}

/// Takes over a descriptor that this program was started with, and has an exec close it.
///
/// The copy is a new descriptor; the inherited number is closed, so that a second call fails.
pub fn inherited(number: RawFd) -> Result<OwnedFd, SysError> {
    // SAFETY: F_DUPFD_CLOEXEC takes its argument by value.
    let ret = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    SysError::check("fcntl F_DUPFD_CLOEXEC", ret.into()).map_err(|e| e.on(number.to_string()))?;
    if number > 2 {
        // SAFETY: no Rust value owns `number`: callers name what the program inherited, at its
        // beginning, and a second owner cannot come from here.
        unsafe { libc::close(number) };
    }
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(ret) })
}

/// A pipe: what is written to the second can be read from the first.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), SysError> {
    let mut ends = [-1; 2];
    // SAFETY: pipe2(2) writes two descriptors into the live array.
    let ret = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    SysError::check("pipe2", ret.into())?;
    // SAFETY: the call succeeded, so both are new descriptors that nobody else owns.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

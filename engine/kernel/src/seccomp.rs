//! Loading a finished filter program; see seccomp(2).

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use crate::error::SysError;

/// The size of one instruction.
pub const INSTRUCTION: usize = 8;

/// Loads a BPF program that decides about every system call of this process from now on.
///
/// Needs CAP_SYS_ADMIN in this user namespace, or `no_new_privs`.
pub fn load(program: &[u8]) -> Result<(), SysError> {
    load_with(program, 0).map(drop)
}

/// Flag of [`load_with`]: actions but "allow" are logged.
pub const LOG: u64 = libc::SECCOMP_FILTER_FLAG_LOG;
/// Flag of [`load_with`]: all threads get the filter.
pub const ALL_THREADS: u64 = libc::SECCOMP_FILTER_FLAG_TSYNC;
/// Flag of [`load_with`]: no mitigation of speculative store bypass.
pub const SPECULATE: u64 = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
/// Flag of [`load_with`]: a descriptor is returned from which calls with the action "notify" are
/// read and answered; see seccomp_unotify(2).
pub const LISTENER: u64 = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
/// Flag of [`load_with`]: a call that a supervisor has read is interrupted by fatal signals only.
pub const WAIT_KILLABLE: u64 = libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

/// As [`load`], with flags; the descriptor is that of [`LISTENER`].
pub fn load_with(program: &[u8], flags: u64) -> Result<Option<OwnedFd>, SysError> {
    let instructions: Vec<libc::sock_filter> = program
        .chunks_exact(INSTRUCTION)
        .map(|bytes| libc::sock_filter {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        })
        .collect();
    let invalid = |_| SysError {
        call: "seccomp",
        object: Some("a program that is too long".into()),
        source: std::io::Error::from_raw_os_error(libc::EINVAL),
    };
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(invalid)?,
        filter: instructions.as_ptr().cast_mut(),
    };
    // SAFETY: the structure and the instructions it points to are live; the kernel copies them
    // and writes to neither.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    };
    SysError::check("seccomp", ret)?;
    if flags & LISTENER == 0 {
        return Ok(None);
    }
    let fd = RawFd::try_from(ret).expect("a descriptor fits in an int");
    // SAFETY: the call succeeded with NEW_LISTENER, so `fd` is a new descriptor nobody else owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}

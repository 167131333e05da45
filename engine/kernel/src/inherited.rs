//! Descriptors that were open when this process began.

use std::collections::BTreeSet;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

use crate::error::SysError;

/// Descriptors that have been taken already.
static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// Takes over descriptor `fd`, which the parent process left open; call it before anything else is opened.
///
/// Fails with `EBADF` when it is not open, or was taken before.
pub fn inherited(fd: RawFd) -> Result<OwnedFd, SysError> {
    let mut taken = TAKEN.lock().expect("no panic while holding it");
    let fail = |errno| SysError {
        call: "fcntl F_SETFD",
        object: Some(format!("descriptor {fd}")),
        source: std::io::Error::from_raw_os_error(errno),
    };
    if fd < 3 || taken.contains(&fd) {
        return Err(fail(libc::EBADF));
    }
    // SAFETY: F_SETFD takes an integer; on a number that is no open descriptor it fails.
    let ret = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    SysError::check("fcntl F_SETFD", ret.into())?;
    taken.insert(fd);
    // SAFETY: `fd` is open, as the call above has shown. It was opened by the parent and nobody here
    // owns it: the caller promises to ask before opening anything, and `TAKEN` makes it one owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

//! Anonymous memory files; see memfd_create(2).

use std::ffi::CStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::error::SysError;

/// A memory file with this content that nobody can change any more, positioned at its start.
pub fn sealed(name: &CStr, content: &[u8]) -> Result<OwnedFd, SysError> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a `CStr` borrow that outlives the call; the kernel only reads it.
    let ret = unsafe { libc::memfd_create(name.as_ptr(), flags) };
    SysError::check("memfd_create", ret.into())?;
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    let mut file = unsafe { File::from_raw_fd(ret) };
    let filled = file
        .write_all(content)
        .and_then(|()| std::io::Seek::rewind(&mut file));
    filled.map_err(|source| SysError {
        call: "write",
        object: Some("memory file".into()),
        source,
    })?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: F_ADD_SEALS takes its argument by value and touches no memory of ours.
    let ret = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    SysError::check("fcntl F_ADD_SEALS", ret.into())?;
    Ok(file.into())
}

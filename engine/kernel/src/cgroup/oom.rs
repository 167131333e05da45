//! Being told when a group runs out of memory.
//!
//! Version 1 writes to an eventfd (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control"); version 2
//! modifies `memory.events`, which inotify(7) reports.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::group::{on, write};
use super::{Cgroup, Version};
use crate::error::SysError;

/// Readable when something has happened to the memory of a group.
#[derive(Debug)]
pub struct OomWatch {
    events: File,
    version: Version,
}

impl OomWatch {
    /// Begins to watch; the group must exist.
    pub fn open(group: &Cgroup) -> Result<Self, SysError> {
        let (Some(version), Some(directory)) = (group.version("memory"), group.directory("memory"))
        else {
            let source = Error::new(ErrorKind::Unsupported, "the controller is not mounted");
            return Err(SysError::io("watch", source).on("memory"));
        };
        let events = match version {
            Version::V1 => notified_eventfd(&directory)?,
            Version::V2 => watched(&directory.join("memory.events"))?,
        };
        Ok(Self {
            events: File::from(events),
            version,
        })
    }

    /// Forgets what was told. Version 1 tells nothing but the want of memory; version 2 only says "look".
    pub fn take(&self) -> Version {
        let mut buffer = [0; 4096];
        // One read takes the whole of an eventfd, and more events than a group makes in a moment.
        let _ = (&self.events).read(&mut buffer);
        self.version
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

fn notified_eventfd(directory: &Path) -> Result<OwnedFd, SysError> {
    // SAFETY: eventfd(2) takes its arguments by value.
    let ret = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    SysError::check("eventfd", ret.into())?;
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    let events = unsafe { OwnedFd::from_raw_fd(ret) };
    let path = directory.join("memory.oom_control");
    let control = File::open(&path).map_err(|e| on("open", e, &path))?;
    let words = format!("{} {}", events.as_raw_fd(), control.as_raw_fd());
    write(&directory.join("cgroup.event_control"), &words)?;
    Ok(events)
}

fn watched(path: &Path) -> Result<OwnedFd, SysError> {
    // SAFETY: inotify_init1(2) takes its argument by value.
    let ret = unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) };
    SysError::check("inotify_init1", ret.into())?;
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    let events = unsafe { OwnedFd::from_raw_fd(ret) };
    let name = std::ffi::CString::new(path.as_os_str().as_bytes())
        .map_err(|e| on("inotify_add_watch", e.into(), path))?;
    // SAFETY: the name is a `CString` that outlives the call; the kernel only reads it.
    let ret =
        unsafe { libc::inotify_add_watch(events.as_raw_fd(), name.as_ptr(), libc::IN_MODIFY) };
    SysError::check("inotify_add_watch", ret.into()).map_err(|e| e.on(path.to_string_lossy()))?;
    Ok(events)
}

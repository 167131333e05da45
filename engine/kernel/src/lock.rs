//! A lock on a file that the kernel drops with its holder; see flock(2).

use std::fs::{File, OpenOptions};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::error::SysError;

/// An exclusive lock, or a shared one, held until dropped. A killed holder leaves no lock behind.
#[derive(Debug)]
pub struct FileLock(#[expect(dead_code, reason = "held for its Drop")] Flock<File>);

impl FileLock {
    /// Waits until nobody else holds `path`, which is made if missing.
    pub fn wait(path: &Path) -> Result<Self, SysError> {
        Self::lock(path, FlockArg::LockExclusive)
    }

    /// Waits until nobody holds `path` exclusively; others may share it.
    pub fn shared(path: &Path) -> Result<Self, SysError> {
        Self::lock(path, FlockArg::LockShared)
    }

    /// Fails with `EWOULDBLOCK` when somebody else holds `path`.
    pub fn try_now(path: &Path) -> Result<Self, SysError> {
        Self::lock(path, FlockArg::LockExclusiveNonblock)
    }

    fn lock(path: &Path, how: FlockArg) -> Result<Self, SysError> {
        let fail = |call, source| SysError {
            call,
            object: Some(path.display().to_string()),
            source,
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|source| fail("open", source))?;
        Flock::lock(file, how)
            .map(Self)
            .map_err(|(_, errno)| fail("flock", errno.into()))
    }
}

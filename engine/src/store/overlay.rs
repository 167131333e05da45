//! Which directories an overlay mount is made of.

use std::path::{Path, PathBuf};

/// The directories of one overlay mount; see the kernel's overlayfs documentation.
///
/// Every overlay of ours is mounted with `userxattr`: layers mark opaque directories with `user.overlay.opaque`, the
/// only form that an unprivileged mount honours, so that one unpacked layer serves the host and every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayPlan {
    /// Read-only directories, the highest first, as the mount option wants them.
    pub lowers: Vec<PathBuf>,
    /// The writable directory.
    pub upper: PathBuf,
    /// Scratch directory on the same file system as `upper`.
    pub work: PathBuf,
}

impl OverlayPlan {
    /// Stacks a writable directory of `dir` on `lowers` (highest first).
    pub fn new(lowers: Vec<PathBuf>, dir: &Path) -> Self {
        Self {
            lowers,
            upper: dir.join("upper"),
            work: dir.join("work"),
        }
    }
}

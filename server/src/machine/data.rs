//! The folders of `quai local`; ARCHITECTURE.md lists them.

use std::path::{Path, PathBuf};

use super::identity::MachineId;

/// `DATA`.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The catalogue of images.
    pub(crate) fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// All machines.
    pub(crate) fn machines(&self) -> PathBuf {
        self.0.join("machines")
    }

    /// One machine.
    pub(crate) fn machine(&self, id: &MachineId) -> PathBuf {
        self.machines().join(id.to_string())
    }

    /// The files that say whose each range of ids is.
    pub(crate) fn ranges(&self) -> PathBuf {
        self.0.join("ranges")
    }

    /// The keepers' sockets.
    pub(crate) fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// The keeper's socket of one machine.
    pub(crate) fn socket(&self, id: &MachineId) -> PathBuf {
        self.run().join(format!("{id}.sock"))
    }

    /// The ordinary user's folder.
    pub(crate) fn web(&self) -> PathBuf {
        self.0.join("web")
    }

    /// The executable that machines run: a copy, so that replacing the installed one does not
    /// pull the file away under a live machine.
    pub(crate) fn executable(&self) -> PathBuf {
        self.0.join("bin/quai")
    }

    /// Held by the helper for as long as it lives.
    pub(crate) fn helper_lock(&self) -> PathBuf {
        self.0.join("helper.lock")
    }
}

//! The folders of `quai local`; ARCHITECTURE.md lists them.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::identity::MachineId;

/// `DATA`.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

/// Where `quai local` keeps its data unless told otherwise.
pub(crate) const DEFAULT: &str = "/var/lib/quai";

impl DataDir {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// What tells this folder's machines from those of other folders on the same host: nothing for
    /// the default one. Two servers may know machines of the same id, and must not touch each other's.
    pub(crate) fn realm(&self) -> Option<u32> {
        let path = std::fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        (path != Path::new(DEFAULT)).then(|| {
            let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
            u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
        })
    }

    /// The control group that holds all machines of this folder.
    pub(crate) fn group(&self) -> String {
        self.realm()
            .map_or_else(|| "quai".to_owned(), |realm| format!("quai-{realm:08x}"))
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

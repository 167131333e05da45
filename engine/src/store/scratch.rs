//! A folder on the store's own file system, for what is not stored yet.

use std::path::{Path, PathBuf};

use super::record::temporary_name;
use super::{Store, StoreError};

/// An empty folder that goes when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes one beside the layers, where the next opening of the store clears what a crash left.
    pub fn of(store: &Store) -> Result<Self, StoreError> {
        let path = store.layers().path_in(&temporary_name());
        std::fs::create_dir(&path).map_err(|source| StoreError::io("make", &path, source))?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

//! Names of images: one JSON file, replaced as a whole.
//!
//! Three kinds of keys: `docker.io/library/busybox:latest` (a tag), `docker.io/library/busybox@sha256:…` (a name that
//! was pulled by that digest) and `sha256:…` (the id of an image that has lost its names). The value is the digest of
//! the manifest. One file means that moving a tag from one image to another is one step.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::oci::Digest;

use super::{StoreError, write_atomically};

/// The file `tags.json`.
#[derive(Debug)]
pub struct Tags {
    path: PathBuf,
}

/// A change of the names, applied in order and at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagsChange {
    /// This name means this manifest from now on.
    Set(String, Digest),
    /// This name means nothing.
    Remove(String),
}

impl Tags {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// All names.
    pub fn all(&self) -> Result<BTreeMap<String, Digest>, StoreError> {
        match fs::read(&self.path) {
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(source) => Err(StoreError::io("read", &self.path, source)),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| StoreError::Damaged {
                path: self.path.clone(),
                source,
            }),
        }
    }

    /// The manifest a name means.
    pub fn get(&self, name: &str) -> Result<Option<Digest>, StoreError> {
        Ok(self.all()?.remove(name))
    }

    /// Applies changes at once. The caller holds the store's lock.
    pub fn apply(&self, changes: impl IntoIterator<Item = TagsChange>) -> Result<(), StoreError> {
        let mut tags = self.all()?;
        let before = tags.clone();
        for change in changes {
            match change {
                TagsChange::Set(name, digest) => tags.insert(name, digest),
                TagsChange::Remove(name) => tags.remove(&name),
            };
        }
        if tags == before && self.path.exists() {
            return Ok(());
        }
        let bytes = serde_json::to_vec_pretty(&tags).expect("strings always become JSON");
        write_atomically(&self.path, &bytes)
    }
}

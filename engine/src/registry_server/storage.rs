//! The whole registry on disk: one store of blobs, and a folder per repository.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use crate::oci::Digest;
use crate::store::{Blobs, Store, StoreError};

use super::names::RepositoryName;
use super::repository::Repository;

/// The registry's data.
#[derive(Debug)]
pub(super) struct Storage {
    store: Store,
    repositories: PathBuf,
    /// Sweeping excludes everything that links blobs.
    sweeping: RwLock<()>,
}

impl Storage {
    /// Opens the folder, making it if missing, and removes what nobody refers to.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let repositories = dir.join("repositories");
        fs::create_dir_all(&repositories)
            .map_err(|source| StoreError::io("make", &repositories, source))?;
        let storage = Self {
            store: Store::open(dir)?,
            repositories,
            sweeping: RwLock::default(),
        };
        storage.collect_garbage()?;
        Ok(storage)
    }

    /// The content.
    pub(super) fn blobs(&self) -> &Blobs {
        self.store.blobs()
    }

    /// A repository, which may be empty.
    pub(super) fn repository(&self, name: &RepositoryName) -> Repository {
        Repository::new(self.repositories.join(name.as_str()))
    }

    /// Keeps blobs from being swept while they are linked.
    pub(super) fn linking(&self) -> std::sync::RwLockReadGuard<'_, ()> {
        self.sweeping
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// All repositories that hold something, in order.
    pub(super) fn names(&self) -> Result<Vec<RepositoryName>, StoreError> {
        let mut names = Vec::new();
        let mut todo = vec![self.repositories.clone()];
        while let Some(dir) = todo.pop() {
            for entry in list(&dir)? {
                let path = dir.join(&entry);
                if !entry.starts_with('_') {
                    todo.push(path);
                } else if entry == "_manifests" && !list(&path)?.is_empty() {
                    let name = dir.strip_prefix(&self.repositories).ok();
                    names.extend(name.and_then(Path::to_str).and_then(RepositoryName::parse));
                }
            }
        }
        names.sort();
        Ok(names)
    }

    /// Removes blobs that no manifest of their repository needs, then content that no repository has.
    ///
    /// Called when nothing is being pushed: a blob that comes before its manifest is not referred to yet.
    pub(super) fn collect_garbage(&self) -> Result<(), StoreError> {
        let _alone = self
            .sweeping
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut used = BTreeSet::new();
        let mut todo = vec![self.repositories.clone()];
        while let Some(dir) = todo.pop() {
            if dir.join("_manifests").is_dir() || dir.join("_blobs").is_dir() {
                used.extend(Repository::new(dir.clone()).sweep(self.blobs())?);
            }
            let children = list(&dir)?
                .into_iter()
                .filter(|name| !name.starts_with('_'));
            todo.extend(children.map(|name| dir.join(name)));
        }
        self.sweep(&used)
    }

    /// Removes content that no repository has any more.
    pub(super) fn sweep_unlinked(&self) -> Result<(), StoreError> {
        let _alone = self
            .sweeping
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut used = BTreeSet::new();
        let mut todo = vec![self.repositories.clone()];
        while let Some(dir) = todo.pop() {
            used.extend(Repository::new(dir.clone()).linked()?);
            let children = list(&dir)?
                .into_iter()
                .filter(|name| !name.starts_with('_'));
            todo.extend(children.map(|name| dir.join(name)));
        }
        self.sweep(&used)
    }

    fn sweep(&self, used: &BTreeSet<Digest>) -> Result<(), StoreError> {
        for digest in self.blobs().list()? {
            if !used.contains(&digest) {
                self.blobs().remove(&digest)?;
            }
        }
        Ok(())
    }
}

/// Names in a folder; a missing folder is an empty one.
pub(super) fn list(dir: &Path) -> Result<Vec<String>, StoreError> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreError::io("list", dir, source)),
        Ok(entries) => Ok(entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with(".unfinished-"))
            .collect()),
    }
}

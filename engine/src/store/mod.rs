//! What is on disk: blobs, unpacked layers, names.
//!
//! One format serves the platform's catalogue and every engine; ARCHITECTURE.md draws it. Everything is named by its
//! digest and appears by one rename, so a killed writer leaves either the whole thing or nothing but a temporary
//! name that the next opening removes. An engine's store may stand on a **catalogue**: a second store, read-only,
//! whose blobs and layers are used where they lie.

mod background;
mod batch;
mod blob;
mod error;
mod holds;
mod layer;
mod overlay;
mod pack;
mod piece;
mod record;
#[cfg(test)]
pub(crate) use record::tests;
mod scratch;
mod steps;
mod tags;
mod unpack;
mod usage;

pub use background::Background;
pub use batch::{Batch, NewBlob, NewLayer};
pub use blob::{BlobWriter, Blobs};
pub use error::StoreError;
pub use holds::Held;
pub use layer::{Layer, LayerRecord, Layers, Stored};
pub use overlay::OverlayPlan;
pub use pack::{PackError, Packed, pack, pack_entry};
pub use piece::Piece;
pub use record::{Durability, Loaded, Records, write_atomically};
pub use scratch::Scratch;
pub use steps::{StepRecord, Steps};
pub use tags::{Tags, TagsChange};
pub use unpack::{Budget, Exceeded, UnpackError, Whiteouts, unpack, unpack_into, unpacker};
pub use usage::{GarbageReport, tree_size};

use std::path::{Path, PathBuf};

use kernel::lock::FileLock;

use crate::oci::Digest;

/// An opened store, with the catalogue it stands on.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    blobs: Blobs,
    layers: Layers,
    tags: Tags,
    steps: Steps,
    catalogue: Option<Box<Store>>,
    holds: holds::Holds,
}

impl Store {
    /// Opens the store in `dir`, making it if missing.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        for part in ["blobs/sha256", "layers"] {
            let path = dir.join(part);
            std::fs::create_dir_all(&path)
                .map_err(|source| StoreError::io("make", &path, source))?;
        }
        let store = Self::open_existing(dir)?;
        store.clear_unfinished()?;
        store.layers.spread();
        Ok(store)
    }

    /// Opens the store in `dir` for reading only; nothing is made or cleared.
    pub fn open_existing(dir: &Path) -> Result<Self, StoreError> {
        let dir = dir
            .canonicalize()
            .map_err(|source| StoreError::io("open", dir, source))?;
        Ok(Self {
            blobs: Blobs::new(dir.join("blobs/sha256")),
            layers: Layers::new(dir.join("layers")),
            tags: Tags::new(dir.join("tags.json")),
            steps: Steps::new(dir.join("steps.jsonl")),
            dir,
            catalogue: None,
            holds: holds::Holds::default(),
        })
    }

    /// Lets archives be unpacked by a confined child that executes `quai`.
    #[must_use]
    pub fn unpacked_by(mut self, quai: PathBuf) -> Self {
        self.layers.set_unpacker(quai);
        self
    }

    /// Stands this store on a read-only one.
    #[must_use]
    pub fn on_catalogue(mut self, catalogue: Store) -> Self {
        self.catalogue = Some(Box::new(catalogue));
        self
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its own blobs.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Its own layers.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// Its own names.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// What builds did before.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// The store it stands on.
    pub fn catalogue(&self) -> Option<&Store> {
        self.catalogue.as_deref()
    }

    /// The blobs that hold `digest`: its own, then the catalogue's.
    pub fn blobs_with(&self, digest: &Digest) -> &Blobs {
        match self.catalogue() {
            Some(catalogue) if !self.blobs.has(digest) => catalogue.blobs_with(digest),
            _ => &self.blobs,
        }
    }

    /// Whether a blob is there, here or in the catalogue.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blobs.has(digest)
            || self
                .catalogue()
                .is_some_and(|catalogue| catalogue.has_blob(digest))
    }

    /// Reads a whole small document, verified.
    pub fn document(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        self.blobs_with(digest).document(digest)
    }

    /// Finds a layer by chain id: its own, then the catalogue's.
    pub fn layer(&self, chain: &Digest) -> Result<Layer, StoreError> {
        match self.layers.get(chain) {
            Err(StoreError::NoLayer { .. }) if self.catalogue.is_some() => {
                self.catalogue.as_ref().expect("just tested").layer(chain)
            }
            found => found,
        }
    }

    /// Whether a layer is there, here or in the catalogue.
    pub fn has_layer(&self, chain: &Digest) -> bool {
        self.layers.has(chain)
            || self
                .catalogue()
                .is_some_and(|catalogue| catalogue.has_layer(chain))
    }

    /// Keeps blobs and layers (chain ids) from being collected before a name refers to them.
    pub fn hold(&self, digests: impl IntoIterator<Item = Digest>) -> Held {
        self.holds.hold(digests.into_iter().collect())
    }

    /// Keeps other processes from changing this store until the guard is dropped.
    pub fn lock(&self) -> Result<FileLock, StoreError> {
        Ok(FileLock::wait(&self.dir.join("lock"))?)
    }

    fn clear_unfinished(&self) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        self.blobs.clear_unfinished()?;
        self.layers.clear_unfinished()
    }
}

//! `save` and `load`: images as one archive, in the OCI layout and Docker's older form at once.

mod contents;
mod load;
mod save;
#[cfg(test)]
mod tests;
mod verify;

pub(in crate::image) use contents::Contents;
pub use load::load;
pub(in crate::image) use load::{Loaded, Loader, name};
pub use save::save;
pub(in crate::image) use save::{Naming, save_with};
pub(in crate::image) use verify::verify;

use std::io;

use serde::{Deserialize, Serialize};

use crate::oci::{BadDigest, BadDocument};
use crate::store::StoreError;

use super::{AddError, ImageError};

/// An archive of images that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive cannot be written.
    #[error("cannot write the archive: {0}")]
    Write(io::Error),
    /// The archive cannot be read.
    #[error("cannot read the archive: {0}")]
    Read(io::Error),
    /// It holds no images.
    #[error("invalid archive: it has neither a manifest.json nor an index.json")]
    NoManifest,
    /// It names a file that it does not hold.
    #[error("invalid archive: {0} is missing")]
    Missing(String),
    /// It is no archive of images, but a flood of files.
    #[error("invalid archive: it has more than {0} files")]
    TooMany(usize),
    /// A document in it cannot be understood.
    #[error("invalid archive: {name}: {source}")]
    Document {
        /// Which.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Its configuration and its layers do not fit.
    #[error("invalid archive: {0} layers, but {1} diff ids")]
    Count(usize, usize),
    /// A manifest of the layout cannot be used.
    #[error("invalid archive: {name}: {source}")]
    Manifest {
        /// Which.
        name: String,
        /// Why.
        source: BadDocument,
    },
    /// The layout has no image for this kind of machine.
    #[error("invalid archive: no image for the platform {0}")]
    Platform(String),
    /// A blob has another size than its descriptor says.
    #[error("invalid archive: {name} has {actual} bytes instead of {told}")]
    Size {
        /// Which.
        name: String,
        /// What its descriptor says.
        told: u64,
        /// What it has.
        actual: u64,
    },
    /// It cannot be a bundle.
    #[error("invalid archive: it has no index.json, so it is no bundle")]
    NoIndex,
    /// A digest is wrong.
    #[error(transparent)]
    Digest(#[from] BadDigest),
    /// An image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image cannot be added.
    #[error(transparent)]
    Add(#[from] AddError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What travels beside images: one blob of a kind of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::image) struct Artifact {
    /// Its media type.
    pub(in crate::image) kind: String,
    /// Its content.
    pub(in crate::image) bytes: Vec<u8>,
}

/// One image of `manifest.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

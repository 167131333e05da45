//! `save` and `load`: images as one archive, in the OCI layout and Docker's older form at once.

mod load;
mod save;
#[cfg(test)]
mod tests;

pub use load::load;
pub use save::save;

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

/// One image of `manifest.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

//! Why a store could not do what it was asked.

use std::path::{Path, PathBuf};

use kernel::error::SysError;

use crate::oci::{BadDigest, Digest};

use super::UnpackError;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk said no.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A system call said no.
    #[error(transparent)]
    Sys(#[from] SysError),
    /// A blob is not there.
    #[error("blob {digest} is not in the store")]
    NoBlob {
        /// Its name.
        digest: Digest,
    },
    /// A layer is not there.
    #[error("layer {chain} does not exist")]
    NoLayer {
        /// Its chain id.
        chain: Digest,
    },
    /// Bytes do not have the digest they are named by.
    #[error("content does not match its digest: expected {expected}, got {actual}")]
    Mismatch {
        /// The name.
        expected: Digest,
        /// The bytes.
        actual: Digest,
    },
    /// A document is too large to be one.
    #[error("document {digest} has {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Its name.
        digest: Digest,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A file of the store is damaged.
    #[error("cannot understand {}: {source}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A name in the store is no digest.
    #[error(transparent)]
    Digest(#[from] BadDigest),
    /// A layer archive cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

impl StoreError {
    /// A failed file operation.
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

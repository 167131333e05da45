//! Sizes, and what nobody refers to any more.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::oci::{Digest, ImageConfig, ImageManifest, chain_ids};

use super::{Store, StoreError, TagsChange};

/// What a garbage collection removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GarbageReport {
    /// Layers removed.
    pub layers: Vec<Digest>,
    /// Blobs removed.
    pub blobs: Vec<Digest>,
    /// Bytes returned.
    pub bytes: u64,
}

impl Store {
    /// Removes blobs and layers that no name refers to and that `keep` (chain ids in use) does not hold.
    pub fn collect_garbage(&self, keep: &BTreeSet<Digest>) -> Result<GarbageReport, StoreError> {
        let _lock = self.lock()?;
        let (mut blobs, mut layers) = (BTreeSet::new(), keep.clone());
        for (name, manifest_digest) in self.tags().all()? {
            // A name pulled by the digest of an index keeps that index.
            blobs.extend(
                name.split_once('@')
                    .and_then(|(_, digest)| digest.parse().ok()),
            );
            match self.reachable(&manifest_digest) {
                Ok((documents, chains)) => {
                    blobs.extend(documents);
                    layers.extend(chains);
                }
                // The catalogue has lost it: the name leads nowhere, and keeps nothing.
                Err(StoreError::NoBlob { .. }) => self.tags().apply([TagsChange::Remove(name)])?,
                Err(error) => return Err(error),
            }
        }
        // What builds made stays as long as their cache knows it.
        for step in self.steps().all()? {
            match self.reachable(&step.manifest) {
                Ok((documents, chains)) => {
                    blobs.extend(documents);
                    layers.extend(chains);
                }
                Err(StoreError::NoBlob { .. }) => {
                    self.steps()
                        .retain(|other| other.manifest != step.manifest)?;
                }
                Err(error) => return Err(error),
            }
        }
        let mut report = GarbageReport::default();
        for chain in self
            .layers()
            .list()?
            .into_iter()
            .filter(|chain| !layers.contains(chain) && !self.holds.has(chain))
        {
            report.bytes += self
                .layers()
                .get(&chain)
                .map_or(0, |layer| layer.record.size);
            self.layers().remove(&chain)?;
            report.layers.push(chain);
        }
        for digest in self
            .blobs()
            .list()?
            .into_iter()
            .filter(|digest| !blobs.contains(digest) && !self.holds.has(digest))
        {
            self.blobs().remove(&digest)?;
            report.blobs.push(digest);
        }
        Ok(report)
    }

    /// The blobs and chain ids that an image needs.
    fn reachable(
        &self,
        manifest_digest: &Digest,
    ) -> Result<(Vec<Digest>, Vec<Digest>), StoreError> {
        let manifest: ImageManifest = self.parse(manifest_digest)?;
        let config_digest: Digest = manifest.config().digest().to_string().parse()?;
        let config = ImageConfig::parse(&self.document(&config_digest)?).map_err(|source| {
            StoreError::Damaged {
                path: self.blobs().path(&config_digest),
                source,
            }
        })?;
        let mut blobs = vec![manifest_digest.clone(), config_digest];
        for layer in manifest.layers() {
            blobs.push(layer.digest().to_string().parse()?);
        }
        Ok((blobs, chain_ids(&config.rootfs.diff_ids)))
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, digest: &Digest) -> Result<T, StoreError> {
        serde_json::from_slice(&self.document(digest)?).map_err(|source| StoreError::Damaged {
            path: self.blobs_with(digest).path(digest),
            source,
        })
    }
}

/// Bytes of the files below `dir`, hard links counted once, links not followed.
pub fn tree_size(dir: &Path) -> u64 {
    let mut seen = BTreeSet::new();
    let mut todo = vec![dir.to_owned()];
    let mut total = 0;
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() {
                todo.push(entry.path());
            } else if metadata.is_file() && (metadata.nlink() == 1 || seen.insert(metadata.ino())) {
                total += metadata.len();
            }
        }
    }
    total
}

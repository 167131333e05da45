//! Layers side by side: each arrives, is hashed, kept and unpacked in one pass.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::{TryStreamExt, stream};

use crate::daemon::progress::ProgressSink;
use crate::daemon::{Daemon, DaemonError};
use crate::image::{AddError, Expected, add_expected_layer};
use crate::oci::Digest;
use crate::registry::{BlobReader, RegistryError, Repository, Wanted};
use crate::store::StoreError;

use super::catalogue::REDRAW;

/// A layer to be fetched.
#[derive(Clone, Debug)]
pub(super) struct LayerJob {
    /// Its archive.
    pub(super) blob: Wanted,
    /// Digest of the uncompressed archive.
    pub(super) diff_id: Digest,
    /// Chain id of what is below.
    pub(super) parent: Option<Digest>,
    /// Its own chain id.
    pub(super) chain: Digest,
}

impl Daemon {
    /// Fetches the layers that are not there yet.
    pub(super) async fn fetch_layers(
        self: &Arc<Self>,
        repository: &Repository,
        jobs: Vec<LayerJob>,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let mut missing = Vec::new();
        for job in jobs {
            let there = self.store.has_layer(&job.chain);
            let status = if there {
                "Already exists"
            } else {
                "Pulling fs layer"
            };
            sink.step(job.blob.digest.short(), status);
            if !there {
                missing.push(job);
            }
        }
        let at_once = self.config.max_concurrent_downloads;
        for job in missing.iter().skip(at_once) {
            sink.step(job.blob.digest.short(), "Waiting");
        }
        stream::iter(missing.into_iter().map(Ok))
            .try_for_each_concurrent(at_once, |job| self.fetch_layer(repository, job, sink))
            .await
    }

    async fn fetch_layer(
        self: &Arc<Self>,
        repository: &Repository,
        job: LayerJob,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let id = job.blob.digest.short().to_owned();
        let total = job.blob.size;
        if self
            .store
            .blobs_with(&job.blob.digest)
            .has(&job.blob.digest)
        {
            let kept = job.clone();
            self.block(move |daemon| {
                let blobs = daemon.store.blobs_with(&kept.blob.digest);
                let file = blobs.open(&kept.blob.digest)?;
                daemon.unpack_layer(&kept, file)
            })
            .await?;
            sink.step(&id, "Pull complete");
            return Ok(());
        }
        let (give, reader) = BlobReader::new(total);
        let drawn = Mutex::new(Instant::now());
        sink.bar(&id, "Downloading", 0, total);
        let told = (sink.clone(), id.clone());
        let progress = move |done| {
            let mut drawn = drawn
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if drawn.elapsed() >= REDRAW {
                *drawn = Instant::now();
                told.0.bar(&told.1, "Downloading", done, total);
            }
            if done == total {
                told.0.step(&told.1, "Verifying Checksum");
                told.0.step(&told.1, "Download complete");
                told.0.bar(&told.1, "Extracting", done, total);
            }
        };
        let unpacked = job.clone();
        let (fetched, unpacked) = tokio::join!(
            repository.fetch_blob(&job.blob, give, progress),
            self.block(move |daemon| daemon.unpack_layer(&unpacked, reader))
        );
        match (fetched, unpacked) {
            (Ok(()), Ok(())) => {}
            // The transfer was broken off because the archive is bad, or the disk full: that is the reason to tell.
            (Ok(()) | Err(RegistryError::Abandoned { .. }), Err(error)) => return Err(error),
            (Err(error), _) => return Err(error.into()),
        }
        sink.step(&id, "Pull complete");
        Ok(())
    }

    fn unpack_layer(&self, job: &LayerJob, archive: impl Read) -> Result<(), DaemonError> {
        let expected = Expected {
            diff_id: Some(&job.diff_id),
            blob: Some(&job.blob.digest),
        };
        match add_expected_layer(&self.store, job.parent.as_ref(), archive, expected) {
            Ok(_) => Ok(()),
            Err(AddError::Store(StoreError::Mismatch { expected, actual })) => {
                Err(RegistryError::Digest {
                    what: "filesystem layer",
                    expected,
                    actual,
                }
                .into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

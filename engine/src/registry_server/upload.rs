//! Blobs on their way in: hashed as they come, nameless until their digest is confirmed.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as AsyncMutex;

use crate::oci::Digest;
use crate::store::{BlobWriter, StoreError};

use super::names::RepositoryName;

/// Uploads at once; the oldest idle one gives way.
const MOST: usize = 256;
/// An upload that nobody continues is forgotten.
const IDLE: Duration = Duration::from_secs(3600);

/// One upload.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) repository: RepositoryName,
    pub(super) writer: Option<BlobWriter>,
    pub(super) size: u64,
}

/// All uploads, by id. They end with the process: what they wrote is cleared at the next start.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<BTreeMap<String, Known>>);

#[derive(Debug)]
struct Known {
    upload: Arc<AsyncMutex<Upload>>,
    used: Instant,
}

impl Uploads {
    /// Begins one; gives its id.
    pub(super) fn begin(&self, repository: RepositoryName, writer: BlobWriter) -> String {
        let numbers = [getrandom::u64(), getrandom::u64()];
        let numbers = numbers.map(|number| number.expect("the kernel has random numbers"));
        let id = format!("{:016x}{:016x}", numbers[0], numbers[1]);
        let upload = Upload {
            repository,
            writer: Some(writer),
            size: 0,
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, known| known.used.elapsed() < IDLE);
        if all.len() >= MOST
            && let Some(oldest) = all
                .iter()
                .min_by_key(|(_, known)| known.used)
                .map(|(id, _)| id.clone())
        {
            all.remove(&oldest);
        }
        let known = Known {
            upload: Arc::new(AsyncMutex::new(upload)),
            used: Instant::now(),
        };
        all.insert(id.clone(), known);
        id
    }

    /// Finds one.
    pub(super) fn get(&self, id: &str) -> Option<Arc<AsyncMutex<Upload>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get_mut(id)?;
        known.used = Instant::now();
        Some(Arc::clone(&known.upload))
    }

    /// Forgets one; what it wrote goes with it.
    pub(super) fn end(&self, id: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(id).is_some()
    }
}

impl Upload {
    /// Takes more bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), std::io::Error> {
        let writer = self.writer.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        writer.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Gives the blob its name, which must be `digest`; otherwise it is gone.
    pub(super) fn commit(&mut self, digest: &Digest) -> Result<(), StoreError> {
        let closed = || StoreError::NoBlob {
            digest: digest.clone(),
        };
        let writer = self.writer.take().ok_or_else(closed)?;
        writer.commit(Some(digest)).map(drop)
    }
}

//! Many blobs and layers that become durable together.
//!
//! A build writes a layer per step; making each durable on its own would wait for the disk dozens of times. Here
//! everything keeps a temporary name until [`Batch::commit`], which syncs the file system once and then renames: a
//! crash before leaves nothing but temporary names, which the next opening clears.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::thread::JoinHandle;

use kernel::error::SysError;

use crate::oci::{Digest, Hasher, chain_ids};

use super::record::{sync_dir, temporary_name};
use super::{Held, Layer, LayerRecord, Store, StoreError};

/// What waits for [`Batch::commit`]; dropped before, it leaves nothing.
#[derive(Debug)]
pub struct Batch<'s> {
    store: &'s Store,
    pending: Mutex<Pending>,
    /// What it found or made, so that nobody collects it before a name refers to it.
    held: Mutex<Vec<Held>>,
    /// Writing to the disk that has begun before the commit.
    ahead: Mutex<Option<JoinHandle<Result<(), SysError>>>>,
}

#[derive(Debug, Default)]
struct Pending {
    /// Temporary file and the name it will have.
    blobs: BTreeMap<Digest, PathBuf>,
    /// Temporary directory of each layer, by chain id.
    layers: BTreeMap<Digest, (PathBuf, LayerRecord)>,
    /// Directories of layers that are being written.
    open: BTreeSet<PathBuf>,
}

/// A layer that is being written.
#[derive(Debug)]
pub struct NewLayer {
    dir: PathBuf,
}

impl NewLayer {
    /// Its files, an overlay's upper directory.
    pub fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }

    /// An empty directory beside it, an overlay's work directory.
    pub fn work(&self) -> PathBuf {
        self.dir.join("work")
    }
}

/// A blob that is being written: hashed on the way.
#[derive(Debug)]
pub struct NewBlob {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    size: u64,
}

impl Write for NewBlob {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl<'s> Batch<'s> {
    /// An empty batch.
    pub fn new(store: &'s Store) -> Self {
        Self {
            store,
            pending: Mutex::default(),
            held: Mutex::default(),
            ahead: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().expect("no panic while holding it")
    }

    /// Adds a small document.
    pub fn document(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        self.hold(&digest);
        if self.store.blobs_with(&digest).has(&digest) || self.lock().blobs.contains_key(&digest) {
            return Ok(digest);
        }
        let mut blob = self.blob()?;
        let path = blob.path.clone();
        blob.write_all(bytes)
            .map_err(|source| StoreError::io("write", &path, source))?;
        self.finish_blob(blob).map(|(digest, _)| digest)
    }

    /// Reads a small document, pending or stored.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        self.hold(digest);
        let pending = self.lock().blobs.get(digest).cloned();
        match pending {
            Some(path) => fs::read(&path).map_err(|source| StoreError::io("read", &path, source)),
            None => self.store.document(digest),
        }
    }

    /// Begins a blob.
    pub fn blob(&self) -> Result<NewBlob, StoreError> {
        let path = self.store.blobs().path_in(&temporary_name());
        let file =
            File::create_new(&path).map_err(|source| StoreError::io("create", &path, source))?;
        Ok(NewBlob {
            path,
            file,
            hasher: Hasher::default(),
            size: 0,
        })
    }

    /// Ends a blob; gives its digest and size.
    pub fn finish_blob(&self, blob: NewBlob) -> Result<(Digest, u64), StoreError> {
        let NewBlob {
            path, hasher, size, ..
        } = blob;
        let digest = hasher.finish();
        self.hold(&digest);
        let mut pending = self.lock();
        if self.store.blobs_with(&digest).has(&digest) || pending.blobs.contains_key(&digest) {
            fs::remove_file(&path).map_err(|source| StoreError::io("remove", &path, source))?;
        } else {
            pending.blobs.insert(digest.clone(), path);
        }
        Ok((digest, size))
    }

    /// Begins a layer.
    pub fn layer(&self) -> Result<NewLayer, StoreError> {
        let dir = self.store.layers().path_in(&temporary_name());
        for part in ["tree", "work"] {
            let path = dir.join(part);
            fs::create_dir_all(&path).map_err(|source| StoreError::io("make", &path, source))?;
        }
        self.lock().open.insert(dir.clone());
        Ok(NewLayer { dir })
    }

    /// Gives a layer up.
    pub fn discard(&self, layer: NewLayer) -> Result<(), StoreError> {
        self.lock().open.remove(&layer.dir);
        self.store.layers().remove_temporary(&layer.dir)
    }

    /// Ends a layer that stands on `parent`.
    pub fn finish_layer(&self, layer: NewLayer, record: LayerRecord) -> Result<Layer, StoreError> {
        let chain = match &record.parent {
            None => record.diff_id.clone(),
            Some(parent) => chain_ids(&[parent.clone(), record.diff_id.clone()])
                .pop()
                .expect("two in, two out"),
        };
        if self.find_layer(&chain).is_ok() {
            self.discard(layer)?;
            return self.find_layer(&chain);
        }
        let work = layer.work();
        if work.exists() {
            // Overlay leaves a directory without any permission in it.
            let dir = File::open(&layer.dir)
                .map_err(|source| StoreError::io("open", &layer.dir, source))?;
            kernel::tree::remove_all(dir.as_fd(), std::ffi::OsStr::new("work"))?;
        }
        let path = layer.dir.join("layer.json");
        let bytes = serde_json::to_vec_pretty(&record).expect("records are plain data");
        fs::write(&path, bytes).map_err(|source| StoreError::io("write", &path, source))?;
        let mut pending = self.lock();
        pending.open.remove(&layer.dir);
        pending.layers.insert(chain.clone(), (layer.dir, record));
        drop(pending);
        self.find_layer(&chain)
    }

    /// Finds a layer, pending or stored.
    pub fn find_layer(&self, chain: &Digest) -> Result<Layer, StoreError> {
        self.hold(chain);
        let pending = self.lock().layers.get(chain).cloned();
        let layer = match pending {
            Some((dir, record)) => Layer {
                chain: chain.clone(),
                record,
                tree: dir.join("tree"),
            },
            None => self.store.layer(chain)?,
        };
        self.hold(&layer.record.blob);
        Ok(layer)
    }

    /// Until the batch ends nobody collects what it found in the store, or has brought there and no name refers to yet.
    fn hold(&self, digest: &Digest) {
        let held = self.store.hold([digest.clone()]);
        self.held
            .lock()
            .expect("no panic while holding it")
            .push(held);
    }

    /// Lets the disk begin with what has been written so far, so that [`Batch::commit`] has less to wait for.
    ///
    /// Worth its own thread only after much has been written.
    pub fn sync_ahead(&self) -> Result<(), StoreError> {
        let mut ahead = self.ahead.lock().expect("no panic while holding it");
        if ahead.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        self.end_sync(&mut ahead)?;
        let dir = self.store.dir();
        let fail = |source| StoreError::io("sync", dir, source);
        let open = File::open(dir).map_err(fail)?;
        let thread = std::thread::Builder::new().name("sync".into());
        let thread = thread.spawn(move || kernel::tree::sync_filesystem(open.as_fd()));
        *ahead = Some(thread.map_err(fail)?);
        Ok(())
    }

    /// A failure of the disk is told to one who waits for it, and to nobody after.
    fn end_sync(
        &self,
        ahead: &mut Option<JoinHandle<Result<(), SysError>>>,
    ) -> Result<(), StoreError> {
        match ahead.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(done) => Ok(done.expect("syncing does not panic")?),
        }
    }

    /// Makes everything durable and gives it its name; the batch is empty afterwards.
    pub fn commit(&self) -> Result<(), StoreError> {
        let (blobs, layers) = {
            let mut pending = self.lock();
            (
                std::mem::take(&mut pending.blobs),
                std::mem::take(&mut pending.layers),
            )
        };
        if blobs.is_empty() && layers.is_empty() {
            return Ok(());
        }
        self.end_sync(&mut self.ahead.lock().expect("no panic while holding it"))?;
        let dir = self.store.dir();
        let open = File::open(dir).map_err(|source| StoreError::io("open", dir, source))?;
        kernel::tree::sync_filesystem(open.as_fd())?;
        for (digest, path) in &blobs {
            let name = self.store.blobs().path(digest);
            fs::rename(path, &name).map_err(|source| StoreError::io("rename", &name, source))?;
        }
        for (chain, (path, _)) in &layers {
            let name = self.store.layers().path_in(chain.hex());
            match fs::rename(path, &name) {
                // Somebody else has made the same layer meanwhile.
                Err(source) if source.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                    self.store.layers().remove_temporary(path)?;
                }
                done => done.map_err(|source| StoreError::io("rename", &name, source))?,
            }
        }
        sync_dir(&self.store.blobs().path_in(""))?;
        sync_dir(&self.store.layers().path_in(""))
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let mut ahead = self.ahead.lock().expect("no panic while holding it").take();
        if let Err(error) = self.end_sync(&mut ahead) {
            tracing::warn!("cannot write to the disk: {error}");
        }
        let pending = std::mem::take(self.pending.get_mut().expect("no panic while holding it"));
        for path in pending.blobs.values() {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(
                    "cannot remove the unfinished blob {}: {error}",
                    path.display()
                );
            }
        }
        let layers = pending.layers.into_values().map(|(dir, _)| dir);
        for dir in layers.chain(pending.open) {
            if let Err(error) = self.store.layers().remove_temporary(&dir) {
                tracing::warn!("cannot remove an unfinished layer: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Scratch;

    fn record(diff_id: &Digest, parent: Option<Digest>) -> LayerRecord {
        LayerRecord {
            diff_id: diff_id.clone(),
            parent,
            blob: diff_id.clone(),
            size: 1,
        }
    }

    #[test]
    fn nothing_has_a_name_before_the_commit() {
        let scratch = Scratch::new();
        let store = Store::open(scratch.path()).unwrap();
        let batch = Batch::new(&store);
        let document = batch.document(b"{}").unwrap();
        let layer = batch.layer().unwrap();
        fs::write(layer.tree().join("f"), "x").unwrap();
        let diff_id = Digest::of(b"diff");
        let layer = batch.finish_layer(layer, record(&diff_id, None)).unwrap();
        assert!(!store.blobs().has(&document) && !store.layers().has(&layer.chain));
        assert_eq!(batch.read(&document).unwrap(), b"{}");
        batch.commit().unwrap();
        assert_eq!(store.document(&document).unwrap(), b"{}");
        assert_eq!(
            fs::read(store.layer(&layer.chain).unwrap().tree.join("f")).unwrap(),
            b"x"
        );
    }

    #[test]
    fn what_a_batch_stands_on_is_not_collected() {
        let scratch = Scratch::new();
        let store = Store::open(scratch.path()).unwrap();
        let diff_id = Digest::of(b"diff");
        let make = |batch: &Batch<'_>| {
            let document = batch.document(b"{}").unwrap();
            let layer = batch.finish_layer(batch.layer().unwrap(), record(&diff_id, None));
            (document, layer.unwrap().chain)
        };
        let batch = Batch::new(&store);
        let (document, chain) = make(&batch);
        batch.commit().unwrap();
        let is_there = || store.blobs().has(&document) && store.layers().has(&chain);
        let collect = || store.collect_garbage(&BTreeSet::new()).unwrap();
        // Committed, and its maker has not named it yet.
        collect();
        assert!(is_there());
        // Another one finds it there, and stands on it.
        let second = Batch::new(&store);
        make(&second);
        drop(batch);
        collect();
        assert!(is_there());
        drop(second);
        collect();
        assert!(!store.blobs().has(&document) && !store.layers().has(&chain));
    }

    #[test]
    fn a_batch_that_is_dropped_leaves_nothing() {
        let scratch = Scratch::new();
        let store = Store::open(scratch.path()).unwrap();
        let batch = Batch::new(&store);
        batch.document(b"{}").unwrap();
        batch.layer().unwrap();
        let layer = batch.layer().unwrap();
        batch
            .finish_layer(layer, record(&Digest::of(b"d"), None))
            .unwrap();
        drop(batch);
        for dir in ["blobs/sha256", "layers"] {
            assert_eq!(
                fs::read_dir(scratch.path().join(dir)).unwrap().count(),
                0,
                "{dir}"
            );
        }
    }
}

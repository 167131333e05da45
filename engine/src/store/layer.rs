//! Layers: an archive on one side, a directory tree on the other.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::oci::{Digest, Hasher, chain_ids};

use super::record::{is_temporary, sync_dir, temporary_name};
use super::unpack::unpack_confined;
use super::{Background, StoreError, UnpackError, unpack, write_atomically};

/// What `layer.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Digest of the uncompressed archive.
    pub diff_id: Digest,
    /// Chain id of the layers below.
    pub parent: Option<Digest>,
    /// Digest of the archive as it is stored.
    pub blob: Digest,
    /// Bytes of the files it adds.
    pub size: u64,
}

/// An unpacked layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its name: this layer together with everything below it.
    pub chain: Digest,
    /// Its record.
    pub record: LayerRecord,
    /// Its files: a lower directory of an overlay.
    pub tree: PathBuf,
}

/// The folder of unpacked layers.
#[derive(Debug)]
pub struct Layers {
    dir: PathBuf,
    /// Records that were read: a layer never changes, only its packing does.
    known: Mutex<BTreeMap<Digest, LayerRecord>>,
    /// The executable that unpacks in a process of its own; without one it is done here.
    unpacker: Option<PathBuf>,
}

/// Records kept in memory.
const KNOWN: usize = 8192;

impl Layers {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            known: Mutex::default(),
            unpacker: None,
        }
    }

    pub(super) fn set_unpacker(&mut self, quai: PathBuf) {
        self.unpacker = Some(quai);
    }

    /// Lets ext4 look for each layer's inodes in a place of its own.
    ///
    /// Near the folder itself it finds the inodes of layers and contexts that have just been removed, and may pass over
    /// each of them before every file that it makes: ten times what making the file takes.
    pub(super) fn spread(&self) {
        let spread = fs::File::open(&self.dir)
            .map(|dir| kernel::inode_flags::spread_subdirectories(std::os::fd::AsFd::as_fd(&dir)));
        if let Ok(Err(error)) = spread {
            tracing::debug!("layers are made wherever the file system likes: {error}");
        }
    }

    /// A name in the folder.
    pub(super) fn path_in(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Removes a layer that has no name yet.
    pub(super) fn remove_temporary(&self, dir: &Path) -> Result<(), StoreError> {
        self.remove_dir(dir.file_name().unwrap_or_default())
    }

    /// Whether it is there.
    pub fn has(&self, chain: &Digest) -> bool {
        self.dir.join(chain.hex()).join("layer.json").is_file()
    }

    /// Finds a layer.
    pub fn get(&self, chain: &Digest) -> Result<Layer, StoreError> {
        let dir = self.dir.join(chain.hex());
        let path = dir.join("layer.json");
        if self.has(chain)
            && let Some(record) = self.remembered().get(chain)
        {
            return Ok(Layer {
                chain: chain.clone(),
                record: record.clone(),
                tree: dir.join("tree"),
            });
        }
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => StoreError::NoLayer {
                chain: chain.clone(),
            },
            _ => StoreError::io("read", &path, source),
        })?;
        let record: LayerRecord = serde_json::from_slice(&bytes)
            .map_err(|source| StoreError::Damaged { path, source })?;
        let mut known = self.remembered();
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(chain.clone(), record.clone());
        drop(known);
        Ok(Layer {
            chain: chain.clone(),
            record,
            tree: dir.join("tree"),
        })
    }

    fn remembered(&self) -> MutexGuard<'_, BTreeMap<Digest, LayerRecord>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unpacks an archive on top of `parent`; `blob` names the archive as it is stored.
    ///
    /// With `expected`, an archive of another diff id is refused and leaves nothing. Every byte is hashed once: the
    /// digest of an archive that is stored plain is both.
    pub fn add(
        &self,
        parent: Option<&Digest>,
        archive: impl Read,
        stored: Stored,
        expected: Option<&Digest>,
        blob: impl FnOnce() -> Result<Digest, StoreError>,
    ) -> Result<Layer, StoreError> {
        let dir = Unfinished::create(self.dir.join(temporary_name()))?;
        let tree = dir.path.join("tree");
        fs::create_dir(&tree).map_err(|source| StoreError::io("make", &tree, source))?;
        let (size, diff_id, blob) = match stored {
            Stored::Plain => {
                let size = self.unpack(archive, &tree)?;
                let blob = blob()?;
                (size, blob.clone(), Stage::Named(blob))
            }
            Stored::Packed => {
                let background = |source| StoreError::io("hash the archive of", &tree, source);
                let hasher = Background::new(Hasher::default()).map_err(background)?;
                let mut archive = Hashing(archive, hasher);
                let size = self.unpack(&mut archive, &tree)?;
                let diff_id = archive.1.finish().map_err(background)?.finish();
                (size, diff_id, Stage::Written(blob))
            }
        };
        if let Some(expected) = expected
            && *expected != diff_id
        {
            return Err(StoreError::Mismatch {
                expected: expected.clone(),
                actual: diff_id,
            });
        }
        let chain = match parent {
            None => diff_id.clone(),
            Some(parent) => chain_ids(&[parent.clone(), diff_id.clone()])
                .pop()
                .expect("two in, two out"),
        };
        let record = LayerRecord {
            diff_id,
            parent: parent.cloned(),
            blob: match blob {
                Stage::Named(blob) => blob,
                Stage::Written(blob) => blob()?,
            },
            size,
        };
        // Synced with everything else, before the layer has its name.
        let path = dir.path.join("layer.json");
        let bytes = serde_json::to_vec_pretty(&record).expect("records are plain data");
        fs::write(&path, bytes).map_err(|source| StoreError::io("write", &path, source))?;
        dir.finish(self.dir.join(chain.hex()))?;
        sync_dir(&self.dir)?;
        self.get(&chain)
    }

    fn unpack(&self, archive: impl Read, tree: &Path) -> Result<u64, UnpackError> {
        match &self.unpacker {
            Some(quai) => unpack_confined(quai, archive, tree),
            None => unpack(archive, tree),
        }
    }

    /// Lets a layer's record name another packing of its archive; a layer of the catalogue keeps its own.
    pub fn set_blob(&self, chain: &Digest, blob: &Digest) -> Result<(), StoreError> {
        let mut record = match self.get(chain) {
            Err(StoreError::NoLayer { .. }) => return Ok(()),
            found => found?.record,
        };
        record.blob = blob.clone();
        self.remembered().remove(chain);
        let bytes = serde_json::to_vec_pretty(&record).expect("records are plain data");
        write_atomically(&self.dir.join(chain.hex()).join("layer.json"), &bytes)
    }

    /// Removes a layer; one that is gone is no error.
    pub fn remove(&self, chain: &Digest) -> Result<(), StoreError> {
        self.remembered().remove(chain);
        // Renamed first: a layer is whole or it is not there.
        let doomed = self.dir.join(temporary_name());
        match fs::rename(self.dir.join(chain.hex()), &doomed) {
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(StoreError::io("remove", &doomed, source)),
            Ok(()) => self.remove_dir(doomed.file_name().expect("has just been joined")),
        }
    }

    /// All chain ids present.
    pub fn list(&self) -> Result<Vec<Digest>, StoreError> {
        let entries =
            fs::read_dir(&self.dir).map_err(|source| StoreError::io("list", &self.dir, source))?;
        let names = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name());
        Ok(names
            .filter_map(|name| Digest::from_hex(name.to_str()?).ok())
            .collect())
    }

    pub(super) fn clear_unfinished(&self) -> Result<(), StoreError> {
        let entries =
            fs::read_dir(&self.dir).map_err(|source| StoreError::io("list", &self.dir, source))?;
        for entry in entries
            .filter_map(Result::ok)
            .filter(|entry| is_temporary(&entry.file_name()))
        {
            self.remove_dir(&entry.file_name())?;
        }
        Ok(())
    }

    fn remove_dir(&self, name: &OsStr) -> Result<(), StoreError> {
        let dir = fs::File::open(&self.dir)
            .map_err(|source| StoreError::io("open", &self.dir, source))?;
        kernel::tree::remove_all(std::os::fd::AsFd::as_fd(&dir), name)?;
        Ok(())
    }
}

/// How a layer's archive is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// As it is: its digest is the diff id.
    Plain,
    /// Compressed.
    Packed,
}

/// The archive's blob: it has its name already, or gets it when the layer is known to be the right one.
enum Stage<F> {
    Named(Digest),
    Written(F),
}

/// What passes is hashed beside.
struct Hashing<R>(R, Background<Hasher>);

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.write_all(&buffer[..count])?;
        Ok(count)
    }
}

/// A folder that is removed unless it is finished.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    fn create(path: PathBuf) -> Result<Self, StoreError> {
        fs::create_dir(&path).map_err(|source| StoreError::io("make", &path, source))?;
        Ok(Self { path })
    }

    /// Makes everything in it durable and gives it its name.
    fn finish(self, name: PathBuf) -> Result<(), StoreError> {
        let dir = fs::File::open(&self.path)
            .map_err(|source| StoreError::io("open", &self.path, source))?;
        kernel::tree::sync_filesystem(std::os::fd::AsFd::as_fd(&dir))?;
        match fs::rename(&self.path, &name) {
            // Somebody else has just unpacked the same layer; ours goes with `self`.
            Err(source) if source.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(source) => Err(StoreError::io("rename", &name, source)),
            Ok(()) => {
                std::mem::forget(self);
                Ok(())
            }
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(
                "cannot remove the unfinished layer {}: {error}",
                self.path.display()
            );
        }
    }
}

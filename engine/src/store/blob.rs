//! Content-addressed files, written once.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;

use crate::oci::{Digest, Hasher};

use super::StoreError;
use super::record::{sync_dir, temporary_name};

/// Manifests and configurations larger than this are refused.
const DOCUMENT_LIMIT: u64 = 4 << 20;

/// The folder of blobs: one file per digest.
#[derive(Debug)]
pub struct Blobs {
    dir: PathBuf,
}

impl Blobs {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where the blob is or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(digest.hex())
    }

    /// A name in the folder; for temporary ones.
    pub(super) fn path_in(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether it is there.
    pub fn has(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Opens a blob; its content is verified by whoever reads it to the end.
    pub fn open(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.path(digest);
        File::open(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => StoreError::NoBlob {
                digest: digest.clone(),
            },
            _ => StoreError::io("open", &path, source),
        })
    }

    /// Bytes of a blob.
    pub fn size(&self, digest: &Digest) -> Result<u64, StoreError> {
        let path = self.path(digest);
        let metadata = self.open(digest)?.metadata();
        metadata
            .map(|metadata| metadata.len())
            .map_err(|source| StoreError::io("stat", &path, source))
    }

    /// Reads a whole small document and verifies it.
    pub fn document(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let size = self.size(digest)?;
        if size > DOCUMENT_LIMIT {
            return Err(StoreError::TooLarge {
                digest: digest.clone(),
                size,
                limit: DOCUMENT_LIMIT,
            });
        }
        let mut bytes = Vec::new();
        let path = self.path(digest);
        self.open(digest)?
            .take(DOCUMENT_LIMIT)
            .read_to_end(&mut bytes)
            .map_err(|source| StoreError::io("read", &path, source))?;
        expect(digest, Digest::of(&bytes))?;
        Ok(bytes)
    }

    /// Reads a blob to its end, telling how far, and verifies it.
    pub fn verify(&self, digest: &Digest, mut progress: impl FnMut(u64)) -> Result<(), StoreError> {
        let (mut file, path) = (self.open(digest)?, self.path(digest));
        let (mut hasher, mut buffer, mut done) = (Hasher::default(), vec![0; 1 << 18], 0);
        loop {
            let count = file
                .read(&mut buffer)
                .map_err(|source| StoreError::io("read", &path, source))?;
            if count == 0 {
                return expect(digest, hasher.finish());
            }
            hasher.update(&buffer[..count]);
            done += count as u64;
            progress(done);
        }
    }

    /// Stores a small document.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.has(&digest) {
            return Ok(digest);
        }
        let mut writer = self.writer()?;
        writer
            .write_all(bytes)
            .map_err(|source| StoreError::io("write", &self.dir, source))?;
        writer.commit(Some(&digest)).map(|(digest, _)| digest)
    }

    /// Begins a blob whose digest is not known yet.
    pub fn writer(&self) -> Result<BlobWriter, StoreError> {
        let path = self.dir.join(temporary_name());
        let file =
            File::create_new(&path).map_err(|source| StoreError::io("create", &path, source))?;
        Ok(BlobWriter {
            dir: self.dir.clone(),
            path: Some(path),
            file,
            hasher: Hasher::default(),
            size: 0,
        })
    }

    /// Removes a blob; one that is gone is no error.
    pub fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", &path, source))
            }
            _ => Ok(()),
        }
    }

    /// All digests present.
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
        for entry in entries.filter_map(Result::ok) {
            if super::record::is_temporary(&entry.file_name()) {
                fs::remove_file(entry.path())
                    .map_err(|source| StoreError::io("remove", &entry.path(), source))?;
            }
        }
        Ok(())
    }
}

/// A blob being written: hashed on the way, named at the end, gone when dropped before.
#[derive(Debug)]
pub struct BlobWriter {
    dir: PathBuf,
    path: Option<PathBuf>,
    file: File,
    hasher: Hasher,
    size: u64,
}

impl BlobWriter {
    /// Makes the blob durable and gives it its name; refuses content other than `expected`.
    pub fn commit(mut self, expected: Option<&Digest>) -> Result<(Digest, u64), StoreError> {
        let path = self.path.clone().expect("only commit takes the path");
        let digest = std::mem::take(&mut self.hasher).finish();
        if let Some(expected) = expected {
            expect(expected, digest.clone())?;
        }
        self.file
            .sync_all()
            .map_err(|source| StoreError::io("sync", &path, source))?;
        let name = self.dir.join(digest.hex());
        fs::rename(&path, &name).map_err(|source| StoreError::io("rename", &path, source))?;
        self.path = None;
        sync_dir(&self.dir)?;
        Ok((digest, self.size))
    }
}

impl Write for BlobWriter {
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

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(
                "cannot remove the unfinished blob {}: {error}",
                path.display()
            );
        }
    }
}

fn expect(expected: &Digest, actual: Digest) -> Result<(), StoreError> {
    if *expected == actual {
        Ok(())
    } else {
        Err(StoreError::Mismatch {
            expected: expected.clone(),
            actual,
        })
    }
}

/// Where the blobs of a store directory are.
#[cfg(test)]
fn blobs_in(dir: &std::path::Path) -> Blobs {
    fs::create_dir_all(dir).expect("temporary directory");
    Blobs::new(dir.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::tests::Scratch;

    #[test]
    fn a_changed_blob_is_refused() {
        let scratch = Scratch::new();
        let blobs = blobs_in(scratch.path());
        let digest = blobs.put(b"hello").unwrap();
        fs::write(blobs.path(&digest), b"hullo").unwrap();
        assert!(matches!(
            blobs.document(&digest),
            Err(StoreError::Mismatch { .. })
        ));
        assert!(matches!(
            blobs.verify(&digest, |_| ()),
            Err(StoreError::Mismatch { .. })
        ));
    }

    #[test]
    fn an_unexpected_digest_leaves_nothing() {
        let scratch = Scratch::new();
        let blobs = blobs_in(scratch.path());
        let mut writer = blobs.writer().unwrap();
        writer.write_all(b"evil").unwrap();
        assert!(writer.commit(Some(&Digest::of(b"good"))).is_err());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_writer_left_is_cleared() {
        let scratch = Scratch::new();
        let blobs = blobs_in(scratch.path());
        let mut writer = blobs.writer().unwrap();
        writer.write_all(b"half").unwrap();
        std::mem::forget(writer);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
        blobs.clear_unfinished().unwrap();
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}

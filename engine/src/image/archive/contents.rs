//! The files of an archive, where they lie. Names in it are only keys: nothing is written under them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use serde::Deserialize;
use tar::{Archive, Entries, Entry};

use crate::oci::{Digest, HashingReader};
use crate::store::{Piece, StoreError};

use super::ArchiveError;

/// No document is larger.
const DOCUMENT_LIMIT: u64 = 4 << 20;
/// No archive has more files.
const FILE_LIMIT: usize = 100_000;
/// What is copied at once.
const CHUNK: usize = 1 << 20;

/// A file with the archive's files in it.
#[derive(Debug)]
pub(in crate::image) struct Contents {
    file: File,
    places: BTreeMap<String, Place>,
}

/// Where a file of the archive lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    size: u64,
}

impl Contents {
    /// Reads an archive from a stream; its files lie one after the other in a nameless file in `scratch`.
    pub(in crate::image) fn spread(
        archive: impl Read,
        scratch: &Path,
    ) -> Result<Self, ArchiveError> {
        let path = scratch.join("contents");
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|file| std::fs::remove_file(&path).map(|()| file))
            .map_err(ArchiveError::Read)?;
        let mut out = BufWriter::with_capacity(CHUNK, &file);
        let mut archive = Archive::new(archive);
        let mut end = 0;
        let places = places(archive.entries().map_err(ArchiveError::Read)?, |entry| {
            let size = io::copy(entry, &mut out)?;
            let place = Place { at: end, size };
            end += size;
            Ok(place)
        })?;
        out.flush().map_err(ArchiveError::Read)?;
        drop(out);
        Ok(Self { file, places })
    }

    /// Finds the files of an archive that is a file already.
    pub(in crate::image) fn of_file(file: File) -> Result<Self, ArchiveError> {
        let mut archive = Archive::new(&file);
        let entries = archive.entries_with_seek().map_err(ArchiveError::Read)?;
        let places = places(entries, |entry| {
            Ok(Place {
                at: entry.raw_file_position(),
                size: entry.size(),
            })
        })?;
        Ok(Self { file, places })
    }

    /// Whether there is a file of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Bytes of a file.
    pub(super) fn size(&self, name: &str) -> Result<u64, ArchiveError> {
        let place = self.places.get(name);
        let place = place.ok_or_else(|| ArchiveError::Missing(name.to_owned()))?;
        Ok(place.size)
    }

    /// Opens a file.
    pub(super) fn open(&self, name: &str) -> Result<Piece<'_>, ArchiveError> {
        let place = self
            .places
            .get(name)
            .ok_or_else(|| ArchiveError::Missing(name.to_owned()))?;
        Ok(Piece::new(&self.file, place.at, place.size))
    }

    /// Reads a small document.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ArchiveError> {
        self.start(name, DOCUMENT_LIMIT)
    }

    /// Reads a blob of at most `limit` bytes; a larger one is cut off.
    pub(super) fn whole(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        self.start(&blob_name(digest), limit)
    }

    fn start(&self, name: &str, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        self.open(name)?
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(ArchiveError::Read)?;
        Ok(bytes)
    }

    /// Reads a table of contents.
    pub(super) fn document<T: for<'a> Deserialize<'a>>(
        &self,
        name: &str,
    ) -> Result<T, ArchiveError> {
        serde_json::from_slice(&self.read(name)?).map_err(|source| ArchiveError::Document {
            name: name.to_owned(),
            source,
        })
    }

    /// Reads a small document that is named by its digest.
    pub(super) fn verified(&self, digest: &Digest) -> Result<Vec<u8>, ArchiveError> {
        let bytes = self.read(&blob_name(digest))?;
        expect(digest, Digest::of(&bytes))?;
        Ok(bytes)
    }

    /// Compares a blob with its name, whatever its size.
    pub(super) fn verify(&self, digest: &Digest) -> Result<(), ArchiveError> {
        let mut blob = HashingReader::new(self.open(&blob_name(digest))?);
        let mut buffer = vec![0; CHUNK];
        while blob.read(&mut buffer).map_err(ArchiveError::Read)? > 0 {}
        expect(digest, blob.finish())
    }
}

/// Where the OCI layout keeps a blob.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn expect(expected: &Digest, actual: Digest) -> Result<(), ArchiveError> {
    if *expected == actual {
        return Ok(());
    }
    let expected = expected.clone();
    Err(StoreError::Mismatch { expected, actual }.into())
}

fn places<'a, R: Read + 'a>(
    entries: Entries<'a, R>,
    mut keep: impl FnMut(&mut Entry<'a, R>) -> io::Result<Place>,
) -> Result<BTreeMap<String, Place>, ArchiveError> {
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for (number, entry) in entries.enumerate() {
        let mut entry = entry.map_err(ArchiveError::Read)?;
        if number >= FILE_LIMIT {
            return Err(ArchiveError::TooMany(FILE_LIMIT));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes())
            .trim_start_matches("./")
            .to_owned();
        let kind = entry.header().entry_type();
        if kind.is_file() {
            places.insert(name, keep(&mut entry).map_err(ArchiveError::Read)?);
        } else if kind.is_symlink() || kind.is_hard_link() {
            // Docker once saved a layer that was there already as a link: `../<id>/layer.tar`.
            let link = entry.link_name_bytes().unwrap_or_default();
            let link = String::from_utf8_lossy(&link)
                .trim_start_matches("../")
                .to_owned();
            if let Some(place) = places.get(&link).copied() {
                places.insert(name, place);
            }
        }
    }
    Ok(places)
}

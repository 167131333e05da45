//! Images come: from Docker's table of contents, or from that of the OCI layout.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tar::Archive;

use crate::image::{
    Expected, Image, ImageError, Reference, add_expected_layer, add_layer, name_image,
};
use crate::oci::{
    Digest, Document, ImageConfig, ImageManifest, Index, IndexEntry, LayerFormat, Platform,
    chain_ids, manifest_of,
};
use crate::store::{Store, StoreError};

use super::{ArchiveError, Entry};

/// How deep an index may name another.
const DEPTH: usize = 4;
/// No document is larger.
const DOCUMENT_LIMIT: u64 = 4 << 20;
/// No archive has more files.
const FILE_LIMIT: usize = 100_000;

/// Reads an archive into the store; gives each image with its names. `scratch` is an empty folder for its files.
pub fn load(
    store: &Store,
    archive: impl Read,
    scratch: &Path,
) -> Result<Vec<(Image, Vec<Reference>)>, ArchiveError> {
    let files = spread(archive, scratch)?;
    if files.contains_key("manifest.json") {
        let entries: Vec<Entry> = document(&files, "manifest.json")?;
        return entries
            .iter()
            .map(|entry| load_one(store, entry, &files))
            .collect();
    }
    if !files.contains_key("index.json") {
        return Err(ArchiveError::NoManifest);
    }
    let index: Index = document(&files, "index.json")?;
    let mut loaded: Vec<(Image, Vec<Reference>)> = Vec::new();
    for entry in &index.manifests {
        let name = name_of(entry)
            .map(|name| Reference::parse(&name))
            .transpose();
        let name = name.map_err(ImageError::from)?;
        let image = load_layout(store, entry, &files, DEPTH)?;
        name_image(store, name.as_ref(), &image.id, &image.manifest_digest)?;
        match loaded.iter_mut().find(|(known, _)| known.id == image.id) {
            Some((_, names)) => names.extend(name),
            None => loaded.push((image, name.into_iter().collect())),
        }
    }
    Ok(loaded)
}

/// The name that a layout gives an image. A mere tag is none: nobody knows of which repository.
fn name_of(entry: &IndexEntry) -> Option<String> {
    let note = |key: &str| entry.annotations.get(key).cloned();
    note("io.containerd.image.name").or_else(|| {
        note("org.opencontainers.image.ref.name").filter(|name| name.contains([':', '/']))
    })
}

/// Loads what a line of an index names; of an index for several platforms, that of this machine.
fn load_layout(
    store: &Store,
    entry: &IndexEntry,
    files: &BTreeMap<String, PathBuf>,
    depth: usize,
) -> Result<Image, ArchiveError> {
    let name = blob_name(&entry.digest);
    let bytes = verified(files, &entry.digest)?;
    let document = Document::parse(&bytes, Some(&entry.media_type));
    let document = document.map_err(|source| ArchiveError::Manifest {
        name: name.clone(),
        source,
    })?;
    match document {
        Document::Manifest(manifest) => load_manifest(store, &manifest, &bytes, files),
        Document::Index(index) => {
            let platform = Platform::host();
            let chosen = index.choose(&platform).filter(|_| depth > 0);
            let chosen = chosen.ok_or_else(|| ArchiveError::Platform(platform.to_string()))?;
            load_layout(store, chosen, files, depth - 1)
        }
    }
}

fn load_manifest(
    store: &Store,
    manifest: &ImageManifest,
    bytes: &[u8],
    files: &BTreeMap<String, PathBuf>,
) -> Result<Image, ArchiveError> {
    let id: Digest = manifest.config().digest().to_string().parse()?;
    let config_bytes = verified(files, &id)?;
    let config = parse_config(&config_bytes, &blob_name(&id))?;
    let diff_ids = &config.rootfs.diff_ids;
    if manifest.layers().len() != diff_ids.len() {
        return Err(ArchiveError::Count(manifest.layers().len(), diff_ids.len()));
    }
    let chains = chain_ids(diff_ids);
    for (at, (layer, diff_id)) in manifest.layers().iter().zip(diff_ids).enumerate() {
        let blob: Digest = layer.digest().to_string().parse()?;
        if store.has_layer(&chains[at]) && store.blobs_with(&blob).has(&blob) {
            continue;
        }
        let expected = Expected {
            diff_id: Some(diff_id),
            blob: Some(&blob),
        };
        let parent = at.checked_sub(1).map(|below| &chains[below]);
        add_expected_layer(store, parent, open(files, &blob_name(&blob))?, expected)?;
    }
    store.blobs().put(&config_bytes)?;
    let manifest = store.blobs().put(bytes)?;
    Ok(Image::load(store, &manifest)?)
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Reads a small document that is named by its digest.
fn verified(files: &BTreeMap<String, PathBuf>, digest: &Digest) -> Result<Vec<u8>, ArchiveError> {
    let bytes = read(files, &blob_name(digest))?;
    let actual = Digest::of(&bytes);
    if actual == *digest {
        return Ok(bytes);
    }
    let expected = digest.clone();
    Err(StoreError::Mismatch { expected, actual }.into())
}

fn parse_config(bytes: &[u8], name: &str) -> Result<ImageConfig, ArchiveError> {
    ImageConfig::parse(bytes).map_err(|source| ArchiveError::Document {
        name: name.to_owned(),
        source,
    })
}

fn open(files: &BTreeMap<String, PathBuf>, name: &str) -> Result<File, ArchiveError> {
    let path = files
        .get(name)
        .ok_or_else(|| ArchiveError::Missing(name.to_owned()))?;
    File::open(path).map_err(ArchiveError::Read)
}

/// Writes the files of the archive side by side, under numbers: names in it are only keys.
fn spread(archive: impl Read, scratch: &Path) -> Result<BTreeMap<String, PathBuf>, ArchiveError> {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut archive = Archive::new(archive);
    for (number, entry) in archive.entries().map_err(ArchiveError::Read)?.enumerate() {
        let mut entry = entry.map_err(ArchiveError::Read)?;
        if number >= FILE_LIMIT {
            return Err(ArchiveError::TooMany(FILE_LIMIT));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes())
            .trim_start_matches("./")
            .to_owned();
        let kind = entry.header().entry_type();
        if kind.is_file() {
            let path = scratch.join(number.to_string());
            let mut file = File::create_new(&path).map_err(ArchiveError::Read)?;
            io::copy(&mut entry, &mut file).map_err(ArchiveError::Read)?;
            files.insert(name, path);
        } else if kind.is_symlink() || kind.is_hard_link() {
            // Docker once saved a layer that was there already as a link: `../<id>/layer.tar`.
            let link = entry.link_name_bytes().unwrap_or_default();
            let link = String::from_utf8_lossy(&link)
                .trim_start_matches("../")
                .to_owned();
            if let Some(path) = files.get(&link).cloned() {
                files.insert(name, path);
            }
        }
    }
    Ok(files)
}

/// Loads an image of Docker's own table of contents.
fn load_one(
    store: &Store,
    entry: &Entry,
    files: &BTreeMap<String, PathBuf>,
) -> Result<(Image, Vec<Reference>), ArchiveError> {
    let bytes = read(files, &entry.config)?;
    let config = parse_config(&bytes, &entry.config)?;
    let diff_ids = &config.rootfs.diff_ids;
    if entry.layers.len() != diff_ids.len() {
        return Err(ArchiveError::Count(entry.layers.len(), diff_ids.len()));
    }
    let mut names = Vec::new();
    for name in entry.repo_tags.iter().flatten() {
        names.push(Reference::parse(name).map_err(ImageError::from)?);
    }
    let mut blobs: Vec<(LayerFormat, u64, Digest)> = Vec::new();
    let chains = chain_ids(diff_ids);
    for (at, (layer, diff_id)) in entry.layers.iter().zip(diff_ids).enumerate() {
        if let Some(known) = kept(store, &chains[at])? {
            blobs.push(known);
            continue;
        }
        let parent = at.checked_sub(1).map(|below| &chains[below]);
        let added = add_layer(store, parent, open(files, layer)?, Some(diff_id))?;
        blobs.push((added.format, added.blob_size, added.blob));
    }
    let id = store.blobs().put(&bytes)?;
    let manifest = manifest_of((bytes.len() as u64, &id), &blobs);
    let manifest = store
        .blobs()
        .put(&serde_json::to_vec(&manifest).expect("manifests are plain data"))?;
    if names.is_empty() {
        name_image(store, None, &id, &manifest)?;
    }
    for name in &names {
        name_image(store, Some(name), &id, &manifest)?;
    }
    Ok((Image::load(store, &manifest)?, names))
}

/// The archive of a layer that is here already, as it is kept.
fn kept(store: &Store, chain: &Digest) -> Result<Option<(LayerFormat, u64, Digest)>, ArchiveError> {
    if !store.has_layer(chain) {
        return Ok(None);
    }
    let blob = store.layer(chain)?.record.blob;
    let blobs = store.blobs_with(&blob);
    if !blobs.has(&blob) {
        return Ok(None);
    }
    let mut start = [0; 4];
    let count = blobs
        .open(&blob)?
        .read(&mut start)
        .map_err(ArchiveError::Read)?;
    Ok(Some((
        LayerFormat::detect(&start[..count]),
        blobs.size(&blob)?,
        blob,
    )))
}

fn document<T: for<'a> Deserialize<'a>>(
    files: &BTreeMap<String, PathBuf>,
    name: &str,
) -> Result<T, ArchiveError> {
    let bytes = match read(files, name) {
        Err(ArchiveError::Missing(_)) => return Err(ArchiveError::NoManifest),
        other => other?,
    };
    serde_json::from_slice(&bytes).map_err(|source| ArchiveError::Document {
        name: name.to_owned(),
        source,
    })
}

/// Reads a small document of the archive.
fn read(files: &BTreeMap<String, PathBuf>, name: &str) -> Result<Vec<u8>, ArchiveError> {
    let path = files
        .get(name)
        .ok_or_else(|| ArchiveError::Missing(name.to_owned()))?;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(ArchiveError::Read)?;
    file.take(DOCUMENT_LIMIT)
        .read_to_end(&mut bytes)
        .map_err(ArchiveError::Read)?;
    Ok(bytes)
}

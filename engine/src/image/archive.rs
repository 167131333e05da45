//! `save` and `load`: images as one archive, in the OCI layout and Docker's older form at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tar::{Archive, Builder, Header};

use crate::oci::{BadDigest, Digest, ImageConfig, LayerFormat, manifest_of};
use crate::store::{Store, StoreError};

use super::{AddError, Image, ImageError, Reference, add_layer, name_image};

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
    #[error("invalid archive: it has no manifest.json")]
    NoManifest,
    /// It names a file that it does not hold.
    #[error("invalid archive: {0} is missing")]
    Missing(String),
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

/// Writes images (each with the names it is saved under) as one archive.
pub fn save(
    store: &Store,
    images: &[(Image, Vec<Reference>)],
    out: impl Write,
) -> Result<(), ArchiveError> {
    let mut out = Builder::new(out);
    let (mut entries, mut manifests, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for (image, names) in images {
        let mut layers = Vec::new();
        for layer in image.manifest.layers() {
            layers.push(layer.digest().to_string().parse::<Digest>()?);
        }
        for blob in layers.iter().chain([&image.id, &image.manifest_digest]) {
            if !written.contains(blob) {
                append_blob(&mut out, store, blob)?;
                written.push(blob.clone());
            }
        }
        let name = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
        entries.push(Entry {
            config: name(&image.id),
            repo_tags: Some(names.iter().map(Reference::familiar).collect()),
            layers: layers.iter().map(name).collect(),
        });
        let mut descriptor = serde_json::json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": image.manifest_digest,
            "size": store.blobs_with(&image.manifest_digest).size(&image.manifest_digest)?,
        });
        for reference in names {
            descriptor["annotations"] = serde_json::json!({
                "io.containerd.image.name": reference.to_string(),
                "org.opencontainers.image.ref.name": reference.tag().unwrap_or_default(),
            });
        }
        manifests.push(descriptor);
    }
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    append(&mut out, "index.json", index.to_string().as_bytes())?;
    append(
        &mut out,
        "manifest.json",
        &serde_json::to_vec(&entries).expect("entries are plain data"),
    )?;
    append(
        &mut out,
        "oci-layout",
        br#"{"imageLayoutVersion": "1.0.0"}"#,
    )?;
    out.into_inner()
        .and_then(|mut out| out.flush())
        .map_err(ArchiveError::Write)
}

fn append_blob(
    out: &mut Builder<impl Write>,
    store: &Store,
    blob: &Digest,
) -> Result<(), ArchiveError> {
    let blobs = store.blobs_with(blob);
    let mut header = header(blobs.size(blob)?);
    let name = format!("blobs/sha256/{}", blob.hex());
    out.append_data(&mut header, name, blobs.open(blob)?)
        .map_err(ArchiveError::Write)
}

fn append(out: &mut Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
    out.append_data(&mut header(bytes.len() as u64), name, bytes)
        .map_err(ArchiveError::Write)
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

/// Reads an archive into the store; gives each image with its names. `scratch` is an empty folder for its files.
pub fn load(
    store: &Store,
    archive: impl Read,
    scratch: &Path,
) -> Result<Vec<(Image, Vec<Reference>)>, ArchiveError> {
    let files = spread(archive, scratch)?;
    let entries: Vec<Entry> = document(&files, "manifest.json")?;
    entries
        .iter()
        .map(|entry| load_one(store, entry, &files))
        .collect()
}

/// Writes the files of the archive side by side, under numbers: names in it are only keys.
fn spread(archive: impl Read, scratch: &Path) -> Result<BTreeMap<String, PathBuf>, ArchiveError> {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut archive = Archive::new(archive);
    for (number, entry) in archive.entries().map_err(ArchiveError::Read)?.enumerate() {
        let mut entry = entry.map_err(ArchiveError::Read)?;
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

fn load_one(
    store: &Store,
    entry: &Entry,
    files: &BTreeMap<String, PathBuf>,
) -> Result<(Image, Vec<Reference>), ArchiveError> {
    let bytes = read(files, &entry.config)?;
    let config = ImageConfig::parse(&bytes).map_err(|source| ArchiveError::Document {
        name: entry.config.clone(),
        source,
    })?;
    let diff_ids = &config.rootfs.diff_ids;
    if entry.layers.len() != diff_ids.len() {
        return Err(ArchiveError::Count(entry.layers.len(), diff_ids.len()));
    }
    let mut names = Vec::new();
    for name in entry.repo_tags.iter().flatten() {
        names.push(Reference::parse(name).map_err(ImageError::from)?);
    }
    let mut blobs: Vec<(LayerFormat, u64, Digest)> = Vec::new();
    let mut parent = None;
    for (layer, diff_id) in entry.layers.iter().zip(diff_ids) {
        let path = files
            .get(layer)
            .ok_or_else(|| ArchiveError::Missing(layer.clone()))?;
        let file = File::open(path).map_err(ArchiveError::Read)?;
        let added = add_layer(store, parent.as_ref(), file, Some(diff_id))?;
        blobs.push((added.format, added.blob_size, added.blob));
        parent = Some(added.layer.chain);
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
    file.take(4 << 20)
        .read_to_end(&mut bytes)
        .map_err(ArchiveError::Read)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{NewImage, add_image, scratch_config};
    use crate::store::tests::Scratch;

    fn sample(store: &Store) -> (Image, Vec<Reference>) {
        let mut archive = Builder::new(Vec::new());
        archive
            .append_data(&mut header(5), "f", &b"hello"[..])
            .unwrap();
        let archive = archive.into_inner().unwrap();
        let layer = add_layer(store, None, archive.as_slice(), None).unwrap();
        let name = Reference::parse("sample:1").unwrap();
        let new = NewImage {
            name: Some(&name),
            config: scratch_config(),
            ..NewImage::default()
        };
        add_image(store, new, &[], Some(&layer)).unwrap();
        (Image::find(store, "sample:1").unwrap(), vec![name])
    }

    #[test]
    fn what_is_saved_can_be_loaded_elsewhere() {
        let scratch = Scratch::new();
        let from = Store::open(&scratch.path().join("from")).unwrap();
        let (image, names) = sample(&from);
        let mut archive = Vec::new();
        save(&from, &[(image.clone(), names)], &mut archive).unwrap();
        let to = Store::open(&scratch.path().join("to")).unwrap();
        let files = scratch.path().join("files");
        std::fs::create_dir(&files).unwrap();
        load(&to, archive.as_slice(), &files).unwrap();
        let loaded = Image::find(&to, "sample:1").unwrap();
        assert_eq!(loaded.id, image.id);
        let tree = &loaded.lowers(&to).unwrap()[0];
        assert_eq!(std::fs::read_to_string(tree.join("f")).unwrap(), "hello");
    }

    #[test]
    fn a_layer_that_is_not_the_named_one_is_refused_and_nothing_is_tagged() {
        let scratch = Scratch::new();
        let store = Store::open(&scratch.path().join("store")).unwrap();
        let config = br#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":
            ["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#;
        let mut layer = Builder::new(Vec::new());
        layer
            .append_data(&mut header(4), "f", &b"evil"[..])
            .unwrap();
        let layer = layer.into_inner().unwrap();
        let manifest = br#"[{"Config":"c.json","RepoTags":["evil:1"],"Layers":["l.tar"]}]"#;
        let mut archive = Builder::new(Vec::new());
        for (name, bytes) in [
            ("c.json", &config[..]),
            ("l.tar", &layer),
            ("manifest.json", manifest),
        ] {
            archive
                .append_data(&mut header(bytes.len() as u64), name, bytes)
                .unwrap();
        }
        let archive = archive.into_inner().unwrap();
        assert!(load(&store, archive.as_slice(), scratch.path()).is_err());
        assert!(store.tags().all().unwrap().is_empty());
        assert!(store.layers().list().unwrap().is_empty());
    }
}

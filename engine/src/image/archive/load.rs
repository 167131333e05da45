//! Images come: from Docker's table of contents, or from that of the OCI layout.

use std::io::Read;
use std::path::Path;

use crate::image::{
    Expected, Image, ImageError, Reference, add_expected_layer, add_layer, name_image,
};
use crate::oci::{
    Digest, Document, ImageConfig, ImageManifest, Index, IndexEntry, LayerFormat, Platform,
    chain_ids, manifest_of,
};
use crate::store::{Held, Store};

use super::contents::{Contents, blob_name};
use super::{ArchiveError, Entry};

/// How deep an index may name another.
const DEPTH: usize = 4;

/// An image with the names that it was given.
pub(in crate::image) type Loaded = (Image, Vec<Reference>);

/// Reads an archive into the store; gives each image with its names. `scratch` is an empty folder for its files.
///
/// No image of the archive has a name before all of them are there.
pub fn load(
    store: &Store,
    archive: impl Read,
    scratch: &Path,
) -> Result<Vec<Loaded>, ArchiveError> {
    let files = Contents::spread(archive, scratch)?;
    let mut loader = Loader::new(store, &files);
    let loaded = if files.has("manifest.json") {
        let entries: Vec<Entry> = files.document("manifest.json")?;
        entries.iter().map(|entry| loader.entry(entry)).collect()
    } else if files.has("index.json") {
        loader.index(&files.document("index.json")?)
    } else {
        Err(ArchiveError::NoManifest)
    }?;
    name(store, &loaded)?;
    Ok(loaded)
}

/// Lets the names of images that are there mean them; an image without any is known by its id.
pub(in crate::image) fn name(store: &Store, loaded: &[Loaded]) -> Result<(), ArchiveError> {
    for (image, names) in loaded {
        if names.is_empty() {
            name_image(store, None, &image.id, &image.manifest_digest)?;
        }
        for name in names {
            name_image(store, Some(name), &image.id, &image.manifest_digest)?;
        }
    }
    Ok(())
}

/// Images on their way from an archive into a store, nameless and held back from garbage collection.
pub(in crate::image) struct Loader<'a> {
    store: &'a Store,
    files: &'a Contents,
    held: Vec<Held>,
    /// Chain ids of the layers that were not here before.
    layers: Vec<Digest>,
    /// The blobs that were not here before.
    blobs: Vec<Digest>,
}

impl<'a> Loader<'a> {
    pub(in crate::image) fn new(store: &'a Store, files: &'a Contents) -> Self {
        Self {
            store,
            files,
            held: Vec::new(),
            layers: Vec::new(),
            blobs: Vec::new(),
        }
    }

    /// Loads all images that a layout names.
    pub(in crate::image) fn index(&mut self, index: &Index) -> Result<Vec<Loaded>, ArchiveError> {
        let mut loaded: Vec<Loaded> = Vec::new();
        for entry in index.manifests.iter().filter(|entry| is_image(entry)) {
            let name = name_of(entry)
                .map(|name| Reference::parse(&name))
                .transpose();
            let name = name.map_err(ImageError::from)?;
            let image = self.line(entry, DEPTH)?;
            match loaded
                .iter_mut()
                .find(|(known, _)| known.manifest_digest == image.manifest_digest)
            {
                Some((_, names)) => names.extend(name),
                None => loaded.push((image, name.into_iter().collect())),
            }
        }
        Ok(loaded)
    }

    /// Removes again what was not here before. Only where nobody else uses the store meanwhile.
    pub(in crate::image) fn give_up(self) -> Result<(), ArchiveError> {
        for chain in self.layers.iter().rev() {
            self.store.layers().remove(chain)?;
        }
        for blob in &self.blobs {
            self.store.blobs().remove(blob)?;
        }
        Ok(())
    }

    /// Loads what a line of an index names; of an index for several platforms, that of this machine.
    fn line(&mut self, entry: &IndexEntry, depth: usize) -> Result<Image, ArchiveError> {
        let bytes = self.files.verified(&entry.digest)?;
        let document = Document::parse(&bytes, Some(&entry.media_type));
        let document = document.map_err(|source| ArchiveError::Manifest {
            name: blob_name(&entry.digest),
            source,
        })?;
        match document {
            Document::Manifest(manifest) => self.manifest(&manifest, &bytes),
            Document::Index(index) => {
                let platform = Platform::host();
                let chosen = index.choose(&platform).filter(|_| depth > 0);
                let chosen = chosen.ok_or_else(|| ArchiveError::Platform(platform.to_string()))?;
                self.line(chosen, depth - 1)
            }
        }
    }

    fn manifest(&mut self, manifest: &ImageManifest, bytes: &[u8]) -> Result<Image, ArchiveError> {
        let id: Digest = manifest.config().digest().to_string().parse()?;
        let config_bytes = self.files.verified(&id)?;
        let config = parse_config(&config_bytes, &blob_name(&id))?;
        let diff_ids = &config.rootfs.diff_ids;
        if manifest.layers().len() != diff_ids.len() {
            return Err(ArchiveError::Count(manifest.layers().len(), diff_ids.len()));
        }
        let chains = self.hold(diff_ids, [id, Digest::of(bytes)]);
        for (at, (layer, diff_id)) in manifest.layers().iter().zip(diff_ids).enumerate() {
            let blob: Digest = layer.digest().to_string().parse()?;
            self.held.push(self.store.hold([blob.clone()]));
            if self.store.has_layer(&chains[at]) && self.store.blobs_with(&blob).has(&blob) {
                continue;
            }
            let expected = Expected {
                diff_id: Some(diff_id),
                blob: Some(&blob),
            };
            let parent = at.checked_sub(1).map(|below| &chains[below]);
            self.about_to_add(&chains[at], Some(&blob));
            let archive = self.files.open(&blob_name(&blob))?;
            add_expected_layer(self.store, parent, archive, expected)?;
        }
        self.document(&config_bytes)?;
        let manifest = self.document(bytes)?;
        Ok(Image::load(self.store, &manifest)?)
    }

    /// Loads an image of Docker's own table of contents.
    fn entry(&mut self, entry: &Entry) -> Result<Loaded, ArchiveError> {
        let bytes = self.files.read(&entry.config)?;
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
        let chains = self.hold(diff_ids, [Digest::of(&bytes)]);
        for (at, (layer, diff_id)) in entry.layers.iter().zip(diff_ids).enumerate() {
            if let Some(known) = kept(self.store, &chains[at])? {
                self.held.push(self.store.hold([known.2.clone()]));
                blobs.push(known);
                continue;
            }
            let parent = at.checked_sub(1).map(|below| &chains[below]);
            self.about_to_add(&chains[at], None);
            let added = add_layer(self.store, parent, self.files.open(layer)?, Some(diff_id))?;
            self.held.push(self.store.hold([added.blob.clone()]));
            blobs.push((added.format, added.blob_size, added.blob));
        }
        let id = self.document(&bytes)?;
        let manifest = manifest_of((bytes.len() as u64, &id), &blobs);
        let manifest = serde_json::to_vec(&manifest).expect("manifests are plain data");
        self.held.push(self.store.hold([Digest::of(&manifest)]));
        let manifest = self.document(&manifest)?;
        Ok((Image::load(self.store, &manifest)?, names))
    }

    /// Holds an image's layers and documents; gives the chain ids.
    fn hold(
        &mut self,
        diff_ids: &[Digest],
        documents: impl IntoIterator<Item = Digest>,
    ) -> Vec<Digest> {
        let chains = chain_ids(diff_ids);
        let all = chains.iter().cloned().chain(documents);
        self.held.push(self.store.hold(all));
        chains
    }

    fn about_to_add(&mut self, chain: &Digest, blob: Option<&Digest>) {
        if !self.store.layers().has(chain) {
            self.layers.push(chain.clone());
        }
        let missing = blob.filter(|blob| !self.store.blobs().has(blob));
        self.blobs.extend(missing.cloned());
    }

    fn document(&mut self, bytes: &[u8]) -> Result<Digest, ArchiveError> {
        let digest = Digest::of(bytes);
        if !self.store.blobs().has(&digest) {
            self.blobs.push(digest);
        }
        Ok(self.store.blobs().put(bytes)?)
    }
}

/// A layout may hold other things beside images: signatures, our course.
fn is_image(entry: &IndexEntry) -> bool {
    entry.artifact_type.is_none()
}

/// The name that a layout gives an image. A mere tag is none: nobody knows of which repository.
fn name_of(entry: &IndexEntry) -> Option<String> {
    let note = |key: &str| entry.annotations.get(key).cloned();
    note("io.containerd.image.name").or_else(|| {
        note("org.opencontainers.image.ref.name").filter(|name| name.contains([':', '/']))
    })
}

fn parse_config(bytes: &[u8], name: &str) -> Result<ImageConfig, ArchiveError> {
    ImageConfig::parse(bytes).map_err(|source| ArchiveError::Document {
        name: name.to_owned(),
        source,
    })
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

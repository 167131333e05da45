//! The cache of a build leaves as one OCI artifact, and another's comes in the same form.
//!
//! Its configuration is a list of steps (the key of each and the image after it); its blobs are those images'
//! documents and layers. Of an imported cache only what a build really needs is fetched, verified by its digest as
//! everything else, and unpacked.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tar::{Builder, Header};

use crate::image::{Expected, add_expected_layer};
use crate::oci::{Digest, ImageConfig, ImageManifest, OCI_INDEX, OCI_MANIFEST, chain_ids};
use crate::store::{Held, StepRecord, Store, StoreError};

use super::{BuildError, Context};

/// The media type of the list of steps.
pub const CACHE_MEDIA_TYPE: &str = "application/vnd.quai.build-cache.v1+json";
/// No document is larger.
const DOCUMENT_LIMIT: u64 = 4 << 20;

/// The list of steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct CacheConfig {
    steps: Vec<StepRecord>,
}

/// A blob of an exported cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheBlob {
    /// Its name.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Where it lies.
    pub path: PathBuf,
    media_type: String,
}

/// A cache on its way out.
#[derive(Debug)]
pub struct CacheExport {
    /// The list of steps.
    pub config: Vec<u8>,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// What the manifest names beside the list.
    pub blobs: Vec<CacheBlob>,
}

/// Which steps of a build leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheScope {
    /// Those that the image stands on (`mode=min`).
    #[default]
    Result,
    /// Those of all stages (`mode=max`).
    All,
}

impl CacheExport {
    /// Collects the steps with these keys.
    pub fn of(
        store: &Store,
        image: &Digest,
        keys: &[Digest],
        scope: CacheScope,
    ) -> Result<Self, BuildError> {
        let mut steps = Vec::new();
        for key in keys {
            steps.extend(store.steps().find(key)?);
        }
        if scope == CacheScope::Result {
            steps = below(image, &steps);
        }
        let mut blobs: BTreeMap<Digest, CacheBlob> = BTreeMap::new();
        let mut add = |digest: &Digest, media_type: &str| -> Result<(), BuildError> {
            if !blobs.contains_key(digest) {
                let known = store.blobs_with(digest);
                let blob = CacheBlob {
                    digest: digest.clone(),
                    size: known.size(digest)?,
                    path: known.path(digest),
                    media_type: media_type.to_owned(),
                };
                blobs.insert(digest.clone(), blob);
            }
            Ok(())
        };
        for step in &steps {
            let manifest = manifest_of(&store.document(&step.manifest)?, &step.manifest)?;
            add(&step.manifest, OCI_MANIFEST)?;
            add(&step.image, "application/vnd.oci.image.config.v1+json")?;
            for layer in manifest.layers() {
                let digest = parse(layer.digest().as_ref())?;
                add(&digest, layer.media_type().as_ref())?;
            }
        }
        let config = serde_json::to_vec(&CacheConfig { steps }).expect("steps are plain data");
        let descriptor = |media_type: &str, digest: &Digest, size: u64| json!({ "mediaType": media_type, "digest": digest, "size": size });
        let layers: Vec<Value> = blobs
            .values()
            .map(|blob| descriptor(&blob.media_type, &blob.digest, blob.size))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(CACHE_MEDIA_TYPE, &Digest::of(&config), config.len() as u64),
            "layers": layers,
        });
        Ok(Self {
            config,
            manifest: manifest.to_string().into_bytes(),
            blobs: blobs.into_values().collect(),
        })
    }

    /// Writes an OCI layout as an archive, its table of contents last.
    pub fn write(&self, out: impl Write) -> std::io::Result<()> {
        let mut out = Builder::new(out);
        for blob in &self.blobs {
            let file = std::fs::File::open(&blob.path)?;
            out.append_data(&mut header(blob.size), name(&blob.digest), file)?;
        }
        for bytes in [&self.config, &self.manifest] {
            let name = name(&Digest::of(bytes));
            out.append_data(&mut header(bytes.len() as u64), name, bytes.as_slice())?;
        }
        let index = json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{
                "mediaType": OCI_MANIFEST,
                "digest": Digest::of(&self.manifest),
                "size": self.manifest.len(),
            }],
        })
        .to_string();
        for (name, text) in [
            ("oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#),
            ("index.json", &index),
        ] {
            out.append_data(&mut header(text.len() as u64), name, text.as_bytes())?;
        }
        out.into_inner()?.flush()
    }
}

/// The steps that lead to an image, by way of the images before.
fn below(image: &Digest, steps: &[StepRecord]) -> Vec<StepRecord> {
    let (mut found, mut next) = (Vec::new(), Some(image.clone()));
    while let Some(image) = next.take() {
        for step in steps.iter().filter(|step| step.image == image) {
            if !found.contains(step) {
                found.push(step.clone());
                next.clone_from(&step.parent);
            }
        }
    }
    found
}

fn name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn parse(text: &str) -> Result<Digest, BuildError> {
    let digest = text.parse::<Digest>();
    Ok(digest.map_err(crate::image::ImageError::from)?)
}

fn manifest_of(bytes: &[u8], digest: &Digest) -> Result<ImageManifest, BuildError> {
    let document = |source| crate::image::ImageError::Document {
        digest: digest.clone(),
        source,
    };
    Ok(serde_json::from_slice(bytes).map_err(document)?)
}

/// Where the blobs of an imported cache are.
pub trait BlobSource: Send + Sync {
    /// The bytes of a blob, as they come: nobody has compared them with the digest.
    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + '_>, BuildError>;
}

impl std::fmt::Debug for dyn BlobSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlobSource")
    }
}

/// An OCI layout among the files of a client.
impl BlobSource for Context {
    fn open(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + '_>, BuildError> {
        use super::SourceTree;
        let path = std::path::Path::new("blobs/sha256").join(digest.hex());
        SourceTree::open(self, &path)
    }
}

/// Steps that were built elsewhere.
#[derive(Debug)]
pub struct ImportedCache {
    steps: BTreeMap<Digest, StepRecord>,
    sizes: BTreeMap<Digest, u64>,
    source: Box<dyn BlobSource>,
}

impl ImportedCache {
    /// Reads the list of steps that a manifest names; `None` when it is the manifest of something else.
    pub fn read(manifest: &[u8], source: Box<dyn BlobSource>) -> Result<Option<Self>, BuildError> {
        let bad = |why: String| BuildError::Value(format!("this cache cannot be used: {why}"));
        let manifest: Value =
            serde_json::from_slice(manifest).map_err(|error| bad(error.to_string()))?;
        let config = &manifest["config"];
        if config["mediaType"] != CACHE_MEDIA_TYPE {
            return Ok(None);
        }
        let mut sizes = BTreeMap::new();
        let layers = manifest["layers"].as_array().into_iter().flatten();
        for layer in layers.chain([config]) {
            let digest = parse(layer["digest"].as_str().unwrap_or_default())?;
            sizes.insert(digest, layer["size"].as_u64().unwrap_or(0));
        }
        let digest = parse(config["digest"].as_str().unwrap_or_default())?;
        let mut cache = Self {
            steps: BTreeMap::new(),
            sizes,
            source,
        };
        let config: CacheConfig = serde_json::from_slice(&cache.document(&digest)?)
            .map_err(|error| bad(error.to_string()))?;
        cache.steps = config
            .steps
            .into_iter()
            .map(|step| (step.key.clone(), step))
            .collect();
        Ok(Some(cache))
    }

    /// Reads an OCI layout.
    pub fn of_layout(files: Context) -> Result<Option<Self>, BuildError> {
        let bad = || BuildError::Value("this cache cannot be used: it is no OCI layout".into());
        let index = files.file("index.json", DOCUMENT_LIMIT)?.ok_or_else(bad)?;
        let index: Value = serde_json::from_slice(&index).map_err(|_| bad())?;
        let digest = parse(index["manifests"][0]["digest"].as_str().unwrap_or_default())?;
        let manifest = verified(&files, &digest, DOCUMENT_LIMIT)?;
        Self::read(&manifest, Box::new(files))
    }

    /// The step with this key.
    pub(super) fn find(&self, key: &Digest) -> Option<&StepRecord> {
        self.steps.get(key)
    }

    fn document(&self, digest: &Digest) -> Result<Vec<u8>, BuildError> {
        let size = self.sizes.get(digest).copied().unwrap_or(0);
        verified(&*self.source, digest, size.min(DOCUMENT_LIMIT))
    }

    /// Brings the image after a step into the store; it is held there until what is given is dropped.
    pub(super) fn bring(&self, store: &Store, step: &StepRecord) -> Result<Held, BuildError> {
        let manifest_bytes = self.document(&step.manifest)?;
        let manifest = manifest_of(&manifest_bytes, &step.manifest)?;
        let id = parse(manifest.config().digest().as_ref())?;
        let config_bytes = self.document(&id)?;
        let document = |source| crate::image::ImageError::Document {
            digest: id.clone(),
            source,
        };
        let config = ImageConfig::parse(&config_bytes).map_err(document)?;
        let chains = chain_ids(&config.rootfs.diff_ids);
        if id != step.image || chains.len() != manifest.layers().len() {
            return Err(BuildError::Value(
                "this cache cannot be used: a step and its image do not fit".into(),
            ));
        }
        let mut digests = vec![step.manifest.clone(), id.clone()];
        digests.extend(chains.iter().cloned());
        for layer in manifest.layers() {
            digests.push(parse(layer.digest().as_ref())?);
        }
        let held = store.hold(digests);
        for (at, (layer, diff_id)) in manifest
            .layers()
            .iter()
            .zip(&config.rootfs.diff_ids)
            .enumerate()
        {
            if store.has_layer(&chains[at]) {
                continue;
            }
            let blob = parse(layer.digest().as_ref())?;
            let expected = Expected {
                diff_id: Some(diff_id),
                blob: Some(&blob),
            };
            let parent = at.checked_sub(1).map(|below| &chains[below]);
            let content = self.source.open(&blob, layer.size())?;
            add_expected_layer(store, parent, content, expected)?;
        }
        store.blobs().put(&config_bytes)?;
        store.blobs().put(&manifest_bytes)?;
        Ok(held)
    }
}

fn verified(source: &dyn BlobSource, digest: &Digest, limit: u64) -> Result<Vec<u8>, BuildError> {
    let mut bytes = Vec::new();
    source
        .open(digest, limit)?
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(BuildError::Context)?;
    let actual = Digest::of(&bytes);
    if actual == *digest {
        return Ok(bytes);
    }
    let expected = digest.clone();
    Err(StoreError::Mismatch { expected, actual }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_an_image_are_followed_down() {
        let step = |image: &[u8], parent: Option<&[u8]>| StepRecord {
            key: Digest::of(image),
            parent: parent.map(Digest::of),
            image: Digest::of(image),
            manifest: Digest::of(b"m"),
            at: 0,
        };
        let steps = [
            step(b"a", Some(b"base")),
            step(b"b", Some(b"a")),
            step(b"other", Some(b"base")),
        ];
        let found = below(&Digest::of(b"b"), &steps);
        assert_eq!(found, [steps[1].clone(), steps[0].clone()]);
    }

    #[test]
    fn a_manifest_of_something_else_is_no_cache() {
        struct Nothing;
        impl BlobSource for Nothing {
            fn open(&self, _: &Digest, _: u64) -> Result<Box<dyn Read + '_>, BuildError> {
                Ok(Box::new(std::io::empty()))
            }
        }
        let image =
            json!({ "config": { "mediaType": "application/vnd.oci.image.config.v1+json" } });
        let read = ImportedCache::read(image.to_string().as_bytes(), Box::new(Nothing));
        assert!(read.unwrap().is_none());
        let lie = json!({
            "config": { "mediaType": CACHE_MEDIA_TYPE, "digest": Digest::of(b"steps"), "size": 5 },
        });
        let read = ImportedCache::read(lie.to_string().as_bytes(), Box::new(Nothing));
        assert!(matches!(
            read,
            Err(BuildError::Store(StoreError::Mismatch { .. }))
        ));
    }
}

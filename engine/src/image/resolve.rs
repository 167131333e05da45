//! What a name or an id means in a store.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::oci::{BadDigest, Digest, ImageConfig, ImageManifest, chain_ids};
use crate::store::{Layer, Store, StoreError};

use super::{BadReference, Reference};

/// An image: its documents, verified.
#[derive(Clone, Debug)]
pub struct Image {
    /// Digest of the configuration: the image id.
    pub id: Digest,
    /// Digest of the manifest.
    pub manifest_digest: Digest,
    /// The manifest.
    pub manifest: ImageManifest,
    /// The configuration.
    pub config: ImageConfig,
}

/// An image that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// No such name or id. The wording is Docker's.
    #[error("No such image: {0}")]
    NotFound(String),
    /// The name breaks the grammar.
    #[error(transparent)]
    Reference(#[from] BadReference),
    /// Several ids begin like this.
    #[error("image id {0} is ambiguous: give more digits")]
    Ambiguous(String),
    /// A document of the image is no such document.
    #[error("document {digest} of the image cannot be understood: {source}")]
    Document {
        /// Which.
        digest: Digest,
        /// Why.
        source: serde_json::Error,
    },
    /// A digest in a document is none.
    #[error(transparent)]
    Digest(#[from] BadDigest),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Image {
    /// Finds an image by name, id or the beginning of an id, among the store's own names.
    pub fn find(store: &Store, text: &str) -> Result<Self, ImageError> {
        let tags = store.tags().all()?;
        if let Ok(reference) = Reference::parse(text)
            && let Some(manifest) = tags.get(&reference.to_string())
        {
            // A catalogue may have lost it since it was pulled: then it has to be pulled again.
            return Self::load(store, manifest).map_err(|error| match error {
                ImageError::Store(StoreError::NoBlob { .. }) => {
                    ImageError::NotFound(reference.familiar())
                }
                other => other,
            });
        }
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.is_empty() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            // A name that breaks the grammar is told apart from one that is unknown.
            let name = Reference::parse(text).map(|reference| reference.familiar())?;
            return Err(ImageError::NotFound(name));
        }
        let mut found: Option<Arc<Self>> = None;
        let steps = store.steps().all()?;
        let built = steps
            .iter()
            .filter(|step| step.image.hex().starts_with(hex))
            .map(|step| &step.manifest);
        for manifest in unique(tags.values().chain(built)) {
            let image = match Self::shared(store, manifest) {
                Err(ImageError::Store(StoreError::NoBlob { .. })) => continue,
                loaded => loaded?,
            };
            if image.id.hex().starts_with(hex) {
                match &found {
                    Some(other) if other.id != image.id => {
                        return Err(ImageError::Ambiguous(text.to_owned()));
                    }
                    _ => found = Some(image),
                }
            }
        }
        found.map(Arc::unwrap_or_clone).ok_or_else(|| {
            let name = Reference::parse(text)
                .map_or_else(|_| text.to_owned(), |reference| reference.familiar());
            ImageError::NotFound(name)
        })
    }

    /// Reads and verifies the image with this manifest.
    pub fn load(store: &Store, manifest_digest: &Digest) -> Result<Self, ImageError> {
        Self::shared(store, manifest_digest).map(Arc::unwrap_or_clone)
    }

    /// The same, shared with everybody who asks for it.
    ///
    /// What was verified once in this process is not read again: its documents are named by their content.
    pub fn shared(store: &Store, manifest_digest: &Digest) -> Result<Arc<Self>, ImageError> {
        let image = known().get(manifest_digest).map(Arc::clone);
        if let Some(image) = image
            && [manifest_digest, &image.id]
                .into_iter()
                .all(|digest| store.has_blob(digest))
        {
            return Ok(image);
        }
        let image = Arc::new(Self::read(store, manifest_digest)?);
        let mut known = known();
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(manifest_digest.clone(), Arc::clone(&image));
        Ok(image)
    }

    fn read(store: &Store, manifest_digest: &Digest) -> Result<Self, ImageError> {
        let bad = |digest: &Digest| {
            let digest = digest.clone();
            move |source| ImageError::Document { digest, source }
        };
        let manifest: ImageManifest = serde_json::from_slice(&store.document(manifest_digest)?)
            .map_err(bad(manifest_digest))?;
        let id: Digest = manifest.config().digest().to_string().parse()?;
        let config = ImageConfig::parse(&store.document(&id)?).map_err(bad(&id))?;
        Ok(Self {
            id,
            manifest_digest: manifest_digest.clone(),
            manifest,
            config,
        })
    }

    /// Chain ids, lowest first.
    pub fn chains(&self) -> Vec<Digest> {
        chain_ids(&self.config.rootfs.diff_ids)
    }

    /// The unpacked layers, lowest first.
    pub fn layers(&self, store: &Store) -> Result<Vec<Layer>, ImageError> {
        self.chains()
            .iter()
            .map(|chain| Ok(store.layer(chain)?))
            .collect()
    }

    /// The directories for an overlay, highest first.
    pub fn lowers(&self, store: &Store) -> Result<Vec<PathBuf>, ImageError> {
        Ok(self
            .layers(store)?
            .into_iter()
            .rev()
            .map(|layer| layer.tree)
            .collect())
    }

    /// Bytes of all layers.
    pub fn size(&self, store: &Store) -> Result<u64, ImageError> {
        Ok(self
            .layers(store)?
            .iter()
            .map(|layer| layer.record.size)
            .sum())
    }
}

/// Images kept in memory.
const KNOWN: usize = 4096;

fn known() -> MutexGuard<'static, HashMap<Digest, Arc<Image>>> {
    static IMAGES: OnceLock<Mutex<HashMap<Digest, Arc<Image>>>> = OnceLock::new();
    let images = IMAGES.get_or_init(Mutex::default);
    images.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An image and its names.
pub type Named = (Arc<Image>, Vec<Reference>);

/// All images of a store's own names, each with its names (`docker.io/…:tag` and `docker.io/…@sha256:…`).
pub fn images_of(store: &Store) -> Result<Vec<Named>, ImageError> {
    let mut by_id: BTreeMap<Digest, Named> = BTreeMap::new();
    for (name, manifest) in store.tags().all()? {
        let image = match Image::shared(store, &manifest) {
            Err(ImageError::Store(StoreError::NoBlob { digest })) => {
                tracing::debug!(
                    "{name} is left out: its document {digest} is gone from the catalogue"
                );
                continue;
            }
            loaded => loaded?,
        };
        let entry = by_id
            .entry(image.id.clone())
            .or_insert_with(|| (image, Vec::new()));
        // The key of an image without a name is its id, which is no reference.
        if name.parse::<Digest>().is_err() {
            entry.1.push(Reference::parse(&name)?);
        }
    }
    Ok(by_id.into_values().collect())
}

fn unique<'a>(digests: impl Iterator<Item = &'a Digest>) -> Vec<&'a Digest> {
    let mut unique: Vec<_> = digests.collect();
    unique.sort();
    unique.dedup();
    unique
}

//! What a stage has become after its last step.

use std::path::PathBuf;

use crate::image::AddedLayer;
use crate::oci::{
    Digest, History, ImageConfig, ImageManifest, LayerFormat, RootFs, chain_ids, manifest_of,
};
use crate::store::Batch;

use super::BuildError;
use super::variables::Arguments;

/// A stage between two steps.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// The image so far; none on scratch before the first step.
    pub(super) image: Option<Digest>,
    /// Its manifest.
    pub(super) manifest: Option<Digest>,
    /// Its configuration.
    pub(super) config: ImageConfig,
    /// Its layers, lowest first.
    pub(super) layers: Vec<AddedLayer>,
    /// Arguments in scope.
    pub(super) arguments: Arguments,
    /// CMD was set in this stage: a new ENTRYPOINT leaves it.
    pub(super) cmd_set: bool,
    /// A step was not found in the cache: those after it are not looked for.
    pub(super) changed: bool,
    /// Steps were added to the base.
    pub(super) is_new: bool,
}

impl State {
    /// The variables.
    pub(super) fn env(&self) -> &[String] {
        self.config.config.env.as_deref().unwrap_or_default()
    }

    /// The shell of the shell form.
    pub(super) fn shell(&self) -> Vec<String> {
        match &self.config.config.shell {
            Some(shell) if !shell.is_empty() => shell.clone(),
            _ => vec!["/bin/sh".into(), "-c".into()],
        }
    }

    /// Chain ids, lowest first.
    pub(super) fn chains(&self) -> Vec<Digest> {
        self.layers
            .iter()
            .map(|layer| layer.layer.chain.clone())
            .collect()
    }

    /// The directories for an overlay, highest first.
    pub(super) fn lowers(&self) -> Vec<PathBuf> {
        self.layers
            .iter()
            .rev()
            .map(|layer| layer.layer.tree.clone())
            .collect()
    }

    /// Writes configuration and manifest of the image after a step.
    pub(super) fn seal(
        &mut self,
        batch: &Batch<'_>,
        created_by: &str,
        layer: Option<AddedLayer>,
        created: &str,
    ) -> Result<(), BuildError> {
        let empty_layer = layer.is_none();
        self.layers.extend(layer);
        self.config.created = Some(created.to_owned());
        (self.config.comment, self.config.container) = (String::new(), String::new());
        self.config.history.push(History {
            created: Some(created.to_owned()),
            created_by: created_by.to_owned(),
            author: self.config.author.clone(),
            empty_layer,
            ..History::default()
        });
        self.config.rootfs = RootFs {
            diff_ids: self
                .layers
                .iter()
                .map(|layer| layer.layer.record.diff_id.clone())
                .collect(),
            ..RootFs::default()
        };
        let (document, id) = self.config.to_document();
        batch.document(&document)?;
        let blobs: Vec<_> = self
            .layers
            .iter()
            .map(|layer| (layer.format, layer.blob_size, layer.blob.clone()))
            .collect();
        let manifest = manifest_of((document.len() as u64, &id), &blobs);
        let manifest =
            batch.document(&serde_json::to_vec(&manifest).expect("manifests are plain data"))?;
        (self.image, self.manifest, self.is_new) = (Some(id), Some(manifest), true);
        Ok(())
    }

    /// Takes over an image; fails when something of it is gone.
    pub(super) fn adopt(
        &mut self,
        batch: &Batch<'_>,
        manifest_digest: &Digest,
    ) -> Result<(), BuildError> {
        let document = |digest: &Digest| {
            let digest = digest.clone();
            move |source| crate::image::ImageError::Document { digest, source }
        };
        let manifest: ImageManifest = serde_json::from_slice(&batch.read(manifest_digest)?)
            .map_err(document(manifest_digest))?;
        let parse = |text: String| {
            text.parse::<Digest>()
                .map_err(crate::image::ImageError::from)
        };
        let id = parse(manifest.config().digest().to_string())?;
        let config = ImageConfig::parse(&batch.read(&id)?).map_err(document(&id))?;
        let mut layers = Vec::new();
        for (chain, descriptor) in chain_ids(&config.rootfs.diff_ids)
            .iter()
            .zip(manifest.layers())
        {
            // Layers that the state has already need not be read again.
            let known = self
                .layers
                .get(layers.len())
                .filter(|known| known.layer.chain == *chain);
            layers.push(match known {
                Some(known) => known.clone(),
                None => AddedLayer {
                    format: match descriptor.media_type() {
                        crate::oci::MediaType::ImageLayerGzip => LayerFormat::Gzip,
                        crate::oci::MediaType::ImageLayerZstd => LayerFormat::Zstd,
                        _ => LayerFormat::Tar,
                    },
                    blob: parse(descriptor.digest().to_string())?,
                    blob_size: descriptor.size(),
                    layer: batch.find_layer(chain)?,
                },
            });
        }
        (self.image, self.manifest) = (Some(id), Some(manifest_digest.clone()));
        (self.config, self.layers) = (config, layers);
        Ok(())
    }
}

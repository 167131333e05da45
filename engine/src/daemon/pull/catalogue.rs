//! Images of the catalogue: the blobs are really read and their digests compared while "Downloading" is told, then
//! the image gets its name in this engine's own store; layers stay where they are.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::daemon::progress::ProgressSink;
use crate::daemon::{Daemon, DaemonError};
use crate::image::{Image, Reference, Selector};
use crate::oci::Digest;
use crate::store::{StoreError, TagsChange};

/// How often a bar is redrawn.
pub(super) const REDRAW: Duration = Duration::from_millis(50);

impl Daemon {
    /// Pulls a name of the catalogue.
    pub(super) fn pull_from_catalogue(
        &self,
        reference: &Reference,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let manifest_digest = self
            .catalogue_manifest(reference)?
            .ok_or_else(|| DaemonError::not_found("image", reference.familiar()))?;
        let title = match reference.selector() {
            Selector::Tag(tag) => tag.clone(),
            Selector::Digest(digest) => digest.to_string(),
        };
        sink.status(&title, format!("Pulling from {}", reference.path()));
        let image = Image::load(&self.store, &manifest_digest)?;
        let known: BTreeSet<Digest> = crate::image::images_of(&self.store)?
            .iter()
            .flat_map(|(image, _)| image.chains())
            .collect();
        let blobs: Result<Vec<Digest>, _> = image
            .manifest
            .layers()
            .iter()
            .map(|layer| layer.digest().to_string().parse::<Digest>())
            .collect();
        let blobs = blobs.map_err(crate::image::ImageError::from)?;
        let layers: Vec<_> = blobs.iter().zip(image.chains()).collect();
        for (blob, chain) in &layers {
            let status = if known.contains(chain) {
                "Already exists"
            } else {
                "Pulling fs layer"
            };
            sink.step(blob.short(), status);
        }
        let wanted: Vec<_> = layers
            .into_iter()
            .filter(|(_, chain)| !known.contains(chain))
            .collect();
        for (blob, chain) in &wanted {
            self.verify_layer(blob, chain, sink)?;
        }
        for (blob, _) in &wanted {
            sink.step(blob.short(), "Pull complete");
        }
        sink.status("", format!("Digest: {manifest_digest}"));
        self.record_pull(reference, &image, &image.manifest_digest, sink)
    }

    /// Reads a layer's archive to its end, and makes sure that it is unpacked.
    fn verify_layer(
        &self,
        blob: &Digest,
        chain: &Digest,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let blobs = self.store.blobs_with(blob);
        let total = blobs.size(blob)?;
        let mut drawn = Instant::now();
        sink.bar(blob.short(), "Downloading", 0, total);
        blobs.verify(blob, |done| {
            if drawn.elapsed() >= REDRAW {
                drawn = Instant::now();
                sink.bar(blob.short(), "Downloading", done, total);
            }
        })?;
        sink.step(blob.short(), "Verifying Checksum");
        sink.step(blob.short(), "Download complete");
        if !self.store.has_layer(chain) {
            return Err(StoreError::NoLayer {
                chain: chain.clone(),
            }
            .into());
        }
        Ok(())
    }

    /// Gives the image its names: the one that was asked, and the digest of what the registry answered to it.
    pub(super) fn record_pull(
        &self,
        reference: &Reference,
        image: &Image,
        answer: &Digest,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let name = reference.familiar();
        // The small documents are kept here; layers stay where they are.
        for digest in [&image.manifest_digest, &image.id] {
            self.store.blobs().put(&self.store.document(digest)?)?;
        }
        let fresh =
            self.store.tags().get(&reference.to_string())?.as_ref() != Some(&image.manifest_digest);
        if fresh {
            crate::image::name_image(
                &self.store,
                Some(reference),
                &image.id,
                &image.manifest_digest,
            )?;
            let by_digest = reference.with(Selector::Digest(answer.clone()));
            let _lock = self.store.lock()?;
            self.store.tags().apply([TagsChange::Set(
                by_digest.to_string(),
                image.manifest_digest.clone(),
            )])?;
        }
        let word = if fresh {
            "Downloaded newer image"
        } else {
            "Image is up to date"
        };
        sink.status("", format!("Status: {word} for {name}"));
        let mut attributes = image.config.config.labels.clone().unwrap_or_default();
        attributes.insert("name".to_owned(), reference.familiar_name());
        self.events.emit("image", "pull", &name, attributes);
        Ok(())
    }

    /// The manifest that the catalogue has for a name.
    pub(super) fn catalogue_manifest(
        &self,
        reference: &Reference,
    ) -> Result<Option<Digest>, DaemonError> {
        let Some(catalogue) = self.store.catalogue() else {
            return Ok(None);
        };
        if let Selector::Digest(digest) = reference.selector() {
            let manifests = catalogue.tags().all()?;
            return Ok(manifests.into_values().find(|manifest| manifest == digest));
        }
        Ok(catalogue.tags().get(&reference.to_string())?)
    }

    /// Whether the catalogue has the repository with another tag.
    pub(super) fn knows_repository(&self, reference: &Reference) -> Result<bool, DaemonError> {
        let Some(catalogue) = self.store.catalogue() else {
            return Ok(false);
        };
        let names = catalogue.tags().all()?.into_keys();
        Ok(names
            .filter_map(|name| Reference::parse(&name).ok())
            .any(|name| name.familiar_name() == reference.familiar_name()))
    }
}

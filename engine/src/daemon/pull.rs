//! `pull`: from the catalogue, with the progress that clients draw.
//!
//! The blobs are really read and their digests compared while "Downloading" is told, then the image gets its name in
//! this engine's own store; layers stay where they are. Registries over the network come with a later version: a
//! name that the catalogue does not know is refused in Docker's words.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::api::types::{Progress, ProgressDetail};
use crate::image::{Image, Reference, Selector};
use crate::oci::Digest;
use crate::store::{StoreError, TagsChange};

use super::{Daemon, DaemonError};

/// How often a bar is redrawn.
const REDRAW: Duration = Duration::from_millis(50);

/// Where progress goes. A client that left does not stop the pull.
#[derive(Clone, Debug)]
pub struct ProgressSink(mpsc::UnboundedSender<Progress>);

impl ProgressSink {
    /// A sink and its other end.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Progress>) {
        let (give, take) = mpsc::unbounded_channel();
        (Self(give), take)
    }

    /// Tells a status about something.
    pub(crate) fn status(&self, id: &str, status: impl Into<String>) {
        self.send(Progress {
            status: Some(status.into()),
            id: (!id.is_empty()).then(|| id.to_owned()),
            ..Progress::default()
        });
    }

    /// Tells a status with an empty detail, as Docker does between two bars.
    pub(crate) fn step(&self, id: &str, status: &str) {
        self.detail(id, status, ProgressDetail::default(), None);
    }

    /// Tells how far a transfer has come.
    pub(crate) fn bar(&self, id: &str, status: &str, current: u64, total: u64) {
        let detail = ProgressDetail {
            current: Some(current),
            total: Some(total),
        };
        self.detail(id, status, detail, Some(bar(current, total)));
    }

    fn detail(&self, id: &str, status: &str, detail: ProgressDetail, progress: Option<String>) {
        self.send(Progress {
            status: Some(status.to_owned()),
            id: Some(id.to_owned()),
            progress_detail: Some(detail),
            progress,
            ..Progress::default()
        });
    }

    /// Sends a message.
    pub(crate) fn send(&self, progress: Progress) {
        // Nobody looks any more; the work is still worth finishing.
        let _ = self.0.send(progress);
    }
}

/// `[====>   ]  1.2MB/3MB`, as Docker draws it for old clients.
fn bar(current: u64, total: u64) -> String {
    let filled = usize::try_from(current.saturating_mul(50) / total.max(1))
        .unwrap_or(50)
        .min(50);
    let head = if filled < 50 { ">" } else { "" };
    let spaces = 50 - filled - head.len();
    format!(
        "[{}{head}{}] {:>7}/{}",
        "=".repeat(filled),
        " ".repeat(spaces),
        size(current),
        size(total)
    )
}

/// Four digits and a decimal unit: `1.982MB`.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit < 4 {
        value /= 1000.0;
        unit += 1;
    }
    let digits = match value {
        value if value >= 100.0 => 1,
        value if value >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{}", ["B", "kB", "MB", "GB", "TB"][unit])
}

impl Daemon {
    /// Checks a pull before its stream begins, so that an unknown name is an error and not a stream.
    pub async fn pullable(
        self: &Arc<Self>,
        name: &str,
        tag: &str,
    ) -> Result<Reference, DaemonError> {
        let text = match tag {
            "" => name.to_owned(),
            digest if digest.starts_with("sha256:") => format!("{name}@{digest}"),
            tag => format!("{name}:{tag}"),
        };
        let reference = Reference::parse(&text)?;
        self.block(move |daemon| match daemon.catalogue_manifest(&reference)? {
            Some(_) => Ok(reference),
            None => Err(unknown(&reference, daemon.knows_repository(&reference)?)),
        })
        .await
    }

    /// Pulls a name of the catalogue.
    pub async fn pull(
        self: &Arc<Self>,
        reference: Reference,
        sink: ProgressSink,
    ) -> Result<(), DaemonError> {
        let _naming = self.naming.lock().await;
        self.block(move |daemon| daemon.pull_now(&reference, &sink))
            .await
    }

    fn pull_now(&self, reference: &Reference, sink: &ProgressSink) -> Result<(), DaemonError> {
        let manifest_digest = self
            .catalogue_manifest(reference)?
            .ok_or_else(|| unknown(reference, false))?;
        let title = match reference.selector() {
            Selector::Tag(tag) => tag.clone(),
            Selector::Digest(digest) => digest.to_string(),
        };
        sink.status(
            &title,
            format!("Pulling from {}", shown_repository(reference)),
        );
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
            self.fetch_layer(blob, chain, sink)?;
        }
        for (blob, _) in &wanted {
            sink.step(blob.short(), "Pull complete");
        }
        sink.status("", format!("Digest: {manifest_digest}"));
        self.record_pull(reference, &image, sink)
    }

    /// Reads a layer's archive to its end, and makes sure that it is unpacked.
    fn fetch_layer(
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

    fn record_pull(
        &self,
        reference: &Reference,
        image: &Image,
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
            let by_digest = reference.with(Selector::Digest(image.manifest_digest.clone()));
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
    fn catalogue_manifest(&self, reference: &Reference) -> Result<Option<Digest>, DaemonError> {
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
    fn knows_repository(&self, reference: &Reference) -> Result<bool, DaemonError> {
        let Some(catalogue) = self.store.catalogue() else {
            return Ok(false);
        };
        let names = catalogue.tags().all()?.into_keys();
        Ok(names
            .filter_map(|name| Reference::parse(&name).ok())
            .any(|name| name.familiar_name() == reference.familiar_name()))
    }
}

/// What stands after "Pulling from": without the registry when it is the usual one.
fn shown_repository(reference: &Reference) -> String {
    if reference.domain() == "docker.io" {
        reference.path().to_owned()
    } else {
        reference.familiar_name()
    }
}

fn unknown(reference: &Reference, repository_is_known: bool) -> DaemonError {
    DaemonError::NotFoundText(if repository_is_known {
        format!(
            "manifest for {} not found: manifest unknown: manifest unknown",
            reference.familiar()
        )
    } else {
        format!(
            "pull access denied for {}, repository does not exist or may require 'docker login': \
             the catalogue of this platform does not have it, and this engine does not reach registries over the \
             network yet",
            reference.familiar_name()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_a_fixed_width() {
        assert_eq!(bar(0, 100), format!("[>{}]      0B/100B", " ".repeat(49)));
        assert_eq!(bar(100, 100), format!("[{}]    100B/100B", "=".repeat(50)));
    }

    #[test]
    fn sizes_have_four_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1_982_256, "1.982MB"),
            (12_345_678, "12.35MB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}

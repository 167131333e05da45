//! `push`: an image's layers and documents go to a registry, side by side, and what is there already stays.
//!
//! A layer that was made here is kept as a plain archive. The first push packs it with gzip, once: from then on the
//! image has that form, so that its digest is the same here and there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{TryStreamExt, stream};

use crate::api::types::Progress;
use crate::image::{Image, ImageError, Reference, Selector, images_of, pack_for_transfer};
use crate::oci::{Digest, ImageManifest};
use crate::registry::{Blob, Credentials, Endpoint, RegistryError, Repository, Settings, Stored};
use crate::store::TagsChange;

use super::progress::ProgressSink;
use super::{Daemon, DaemonError};

/// How often a bar is redrawn.
const REDRAW: Duration = Duration::from_millis(50);
/// How many repositories are asked whether they have a layer.
const SOURCES: usize = 3;

/// What a client asks of a push.
#[derive(Clone, Debug)]
pub struct PushRequest {
    /// The repository.
    pub name: Reference,
    /// One tag; all of the repository without one.
    pub tag: Option<String>,
    /// Who asks.
    pub credentials: Credentials,
}

/// One layer on its way.
struct LayerJob {
    /// Twelve digits of the diff id, by which clients know it.
    id: String,
    blob: Blob,
}

impl PushRequest {
    /// Reads the parameters of the API.
    pub fn parse(
        name: &str,
        tag: Option<&str>,
        credentials: Credentials,
    ) -> Result<Self, DaemonError> {
        let name = Reference::parse(name)?;
        if matches!(name.selector(), Selector::Digest(_)) {
            return Err(DaemonError::Invalid(
                "cannot push a digest reference".into(),
            ));
        }
        Ok(Self {
            name,
            tag: tag.map(str::to_owned),
            credentials,
        })
    }
}

impl Daemon {
    /// Pushes one tag of a repository, or all.
    pub async fn push(
        self: &Arc<Self>,
        request: PushRequest,
        sink: ProgressSink,
    ) -> Result<(), DaemonError> {
        let shown = format!("{}/{}", request.name.domain(), request.name.path());
        sink.status("", format!("The push refers to repository [{shown}]"));
        let images = self.images_to_push(&request).await?;
        let watched = sink.clone();
        self.reach(move |daemon, settings| async move {
            tokio::select! {
                done = daemon.push_images(&settings, &request, images, &sink) => done,
                () = watched.abandoned() => Err(DaemonError::Invalid("context canceled".into())),
            }
        })
        .await
    }

    async fn images_to_push(
        self: &Arc<Self>,
        request: &PushRequest,
    ) -> Result<Vec<(String, Image)>, DaemonError> {
        let (name, tag) = (request.name.clone(), request.tag.clone());
        self.block(move |daemon| {
            let mut found = Vec::new();
            for (image, names) in images_of(&daemon.store)? {
                for known in names {
                    let same = known.familiar_name() == name.familiar_name();
                    if let Some(known_tag) = known.tag().filter(|_| same)
                        && tag.as_deref().is_none_or(|tag| tag == known_tag)
                    {
                        found.push((known_tag.to_owned(), Image::clone(&image)));
                    }
                }
            }
            found.sort_by(|a, b| a.0.cmp(&b.0));
            if found.is_empty() {
                return Err(DaemonError::NotFoundText(match &tag {
                    Some(tag) => format!(
                        "An image does not exist locally with the tag: {}",
                        name.with(Selector::Tag(tag.clone())).familiar_name()
                    ),
                    None => format!(
                        "An image does not exist locally with the tag: {}",
                        name.familiar_name()
                    ),
                }));
            }
            Ok(found)
        })
        .await
    }

    async fn push_images(
        self: &Arc<Self>,
        settings: &Settings,
        request: &PushRequest,
        images: Vec<(String, Image)>,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let endpoint = Endpoint::reach(settings, request.name.domain()).await?;
        let mut errors = None;
        for (tag, image) in images {
            let reference = request.name.with(Selector::Tag(tag));
            let pushed = self
                .push_one(
                    endpoint.clone(),
                    &reference,
                    image,
                    &request.credentials,
                    sink,
                )
                .await;
            // Other tags may still go.
            if let Err(error) = pushed.map_err(without_address)
                && errors.is_none()
            {
                errors = Some(error);
            }
        }
        errors.map_or(Ok(()), Err)
    }

    async fn push_one(
        self: &Arc<Self>,
        endpoint: Endpoint,
        reference: &Reference,
        image: Image,
        credentials: &Credentials,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        for diff_id in image.config.rootfs.diff_ids.iter().rev() {
            sink.step(diff_id.short(), "Preparing");
        }
        let image = self
            .block(move |daemon| Ok(pack_for_transfer(&daemon.store, &image)?))
            .await?;
        let (layers, config) = self.blobs_to_push(&image)?;
        let domain = reference.domain().to_owned();
        let own = reference.path().to_owned();
        let digests: BTreeSet<Digest> = layers.iter().map(|job| job.blob.digest.clone()).collect();
        let sources = self
            .block(move |daemon| daemon.repositories_with(&domain, &own, &digests))
            .await?;
        let repository =
            Repository::to_push(endpoint, reference.path(), credentials.clone(), &sources);
        let at_once = self.config.max_concurrent_uploads;
        for job in layers.iter().skip(at_once) {
            sink.step(&job.id, "Waiting");
        }
        let (repository, sources) = (&repository, &sources);
        stream::iter(layers.into_iter().map(Ok::<_, DaemonError>))
            .try_for_each_concurrent(at_once, |job| async move {
                push_layer(repository, job, sources, sink).await
            })
            .await?;
        repository.store_blob(&config, &[], |_| ()).await?;
        let manifest = self.store.document(&image.manifest_digest)?;
        let size = manifest.len();
        let kind = media_type(&image.manifest);
        let tag = reference.tag().unwrap_or_default().to_owned();
        let digest = repository.put_manifest(&tag, &kind, manifest).await?;
        sink.status("", format!("{tag}: digest: {digest} size: {size}"));
        sink.send(Progress {
            progress_detail: Some(crate::api::types::ProgressDetail::default()),
            aux: Some(
                serde_json::json!({ "Tag": tag, "Digest": digest.to_string(), "Size": size }),
            ),
            ..Progress::default()
        });
        let reference = reference.clone();
        let _naming = self.naming.lock().await;
        self.block(move |daemon| {
            let by_digest = reference.with(Selector::Digest(digest)).to_string();
            let change = TagsChange::Set(by_digest, image.manifest_digest.clone());
            let _lock = daemon.store.lock()?;
            daemon.store.tags().apply([change])?;
            let mut attributes = image.config.config.labels.clone().unwrap_or_default();
            attributes.insert("name".to_owned(), reference.familiar_name());
            daemon
                .events
                .emit("image", "push", &reference.familiar(), attributes);
            Ok(())
        })
        .await
    }

    fn blobs_to_push(&self, image: &Image) -> Result<(Vec<LayerJob>, Blob), DaemonError> {
        let blob = |digest: Digest, size| Blob {
            path: self.store.blobs_with(&digest).path(&digest),
            digest,
            size,
        };
        let mut layers = Vec::new();
        let mut seen = BTreeSet::new();
        let diff_ids = image.config.rootfs.diff_ids.iter();
        for (layer, diff_id) in image.manifest.layers().iter().zip(diff_ids) {
            let digest: Digest = layer
                .digest()
                .to_string()
                .parse()
                .map_err(ImageError::from)?;
            if seen.insert(digest.clone()) {
                layers.push(LayerJob {
                    id: diff_id.short().to_owned(),
                    blob: blob(digest, layer.size()),
                });
            }
        }
        layers.reverse();
        let config = blob(image.id.clone(), image.manifest.config().size());
        Ok((layers, config))
    }

    /// Repositories of the same registry from which it may take layers itself.
    fn repositories_with(
        &self,
        domain: &str,
        own: &str,
        digests: &BTreeSet<Digest>,
    ) -> Result<Vec<String>, DaemonError> {
        let mut sources = BTreeSet::new();
        for (image, names) in images_of(&self.store)? {
            let layers = image.manifest.layers().iter();
            let shares = layers
                .filter_map(|layer| layer.digest().to_string().parse().ok())
                .any(|digest: Digest| digests.contains(&digest));
            // Only what has a digest there was ever pushed or pulled.
            let there = names.iter().filter(|name| name.tag().is_none());
            if shares {
                sources.extend(
                    there
                        .filter(|name| name.domain() == domain && name.path() != own)
                        .map(|name| name.path().to_owned()),
                );
            }
        }
        Ok(sources.into_iter().take(SOURCES).collect())
    }
}

async fn push_layer(
    repository: &Repository,
    job: LayerJob,
    sources: &[String],
    sink: &ProgressSink,
) -> Result<(), DaemonError> {
    let (told, id, total) = (sink.clone(), job.id.clone(), job.blob.size);
    let drawn = Mutex::new(None::<Instant>);
    let progress = move |done| {
        let mut drawn = drawn
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) || done == total {
            *drawn = Some(Instant::now());
            told.bar(&id, "Pushing", done, total);
        }
    };
    match repository.store_blob(&job.blob, sources, progress).await? {
        Stored::Known => sink.step(&job.id, "Layer already exists"),
        Stored::Mounted(from) => sink.step(&job.id, &format!("Mounted from {from}")),
        Stored::Sent => sink.step(&job.id, "Pushed"),
    }
    Ok(())
}

/// Docker says of a push without a password only that there is none.
fn without_address(error: DaemonError) -> DaemonError {
    match error {
        DaemonError::Registry(error) if matches!(*error, RegistryError::NoCredentials { .. }) => {
            DaemonError::Forbidden("no basic auth credentials".into())
        }
        other => other,
    }
}

/// What the manifest says of itself.
fn media_type(manifest: &ImageManifest) -> String {
    manifest
        .media_type()
        .as_ref()
        .map_or_else(|| crate::oci::OCI_MANIFEST.to_owned(), ToString::to_string)
}

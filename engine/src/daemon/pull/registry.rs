//! Images of a registry: the manifest first, then the layers side by side, the names last.

use std::sync::Arc;

use crate::daemon::progress::ProgressSink;
use crate::daemon::{Daemon, DaemonError};
use crate::image::{Image, ImageError, Reference, Selector};
use crate::oci::{Digest, Document, ImageConfig, ImageManifest, Platform, chain_ids};
use crate::registry::{
    Credentials, Endpoint, FetchedManifest, RegistryError, Repository, Settings, Wanted,
};

use super::layers::LayerJob;
use super::{PullRequest, PulledTags, title};

/// No image has more layers: overlayfs takes 500 lower directories, Docker 127 layers.
const LAYER_LIMIT: usize = 500;

impl Daemon {
    /// Pulls from the registry that the name says, or from a mirror of it.
    pub(super) async fn pull_from_registry(
        self: &Arc<Self>,
        settings: &Settings,
        request: &PullRequest,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let reference = &request.reference;
        if reference.domain() == "docker.io" {
            for mirror in &settings.mirrors {
                match self.pull_from_mirror(settings, mirror, request, sink).await {
                    Err(DaemonError::Registry(error)) => {
                        tracing::warn!(
                            "the mirror {mirror} does not give {}: {error}",
                            reference.familiar()
                        );
                    }
                    done => return done,
                }
            }
        }
        let endpoint = Endpoint::reach(settings, reference.domain()).await?;
        self.pull_from(endpoint, request, request.credentials.clone(), sink)
            .await
    }

    /// A mirror is another party: it does not learn who we are at Docker's registry.
    async fn pull_from_mirror(
        self: &Arc<Self>,
        settings: &Settings,
        mirror: &reqwest::Url,
        request: &PullRequest,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let endpoint = Endpoint::reach_mirror(settings, mirror).await?;
        self.pull_from(endpoint, request, Credentials::default(), sink)
            .await
    }

    async fn pull_from(
        self: &Arc<Self>,
        endpoint: Endpoint,
        request: &PullRequest,
        credentials: Credentials,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let reference = &request.reference;
        let repository = Repository::to_pull(endpoint, reference.path(), credentials);
        if request.tags == PulledTags::One {
            return self.pull_one(&repository, reference, request, sink).await;
        }
        for tag in repository.tags().await? {
            let one = reference.with(Selector::Tag(tag));
            self.pull_one(&repository, &one, request, sink).await?;
        }
        Ok(())
    }

    async fn pull_one(
        self: &Arc<Self>,
        repository: &Repository,
        reference: &Reference,
        request: &PullRequest,
        sink: &ProgressSink,
    ) -> Result<(), DaemonError> {
        let answer = match reference.selector() {
            Selector::Tag(tag) => repository.manifest_of_tag(tag).await?,
            Selector::Digest(digest) => repository.manifest_of(digest).await?,
        };
        sink.status(
            &title(reference),
            format!("Pulling from {}", reference.path()),
        );
        let wanted = request.platform.clone().unwrap_or_else(Platform::host);
        let (index, found) = choose(repository, answer, &wanted).await?;
        let Document::Manifest(manifest) = &found.document else {
            return Err(DaemonError::Invalid(
                "an index of indexes is not supported".into(),
            ));
        };
        check_layers(manifest)?;
        let config_digest = digest_of(manifest.config())?;
        let _held = self.store.hold(
            [found.digest.clone(), config_digest.clone()]
                .into_iter()
                .chain(index.iter().map(|index| index.digest.clone()))
                .chain(
                    manifest
                        .layers()
                        .iter()
                        .filter_map(|layer| digest_of(layer).ok()),
                ),
        );
        let config = repository
            .small_blob(&config_digest, manifest.config().size())
            .await?;
        let jobs = jobs(manifest, &config, &config_digest)?;
        let _layers = self.store.hold(jobs.iter().map(|job| job.chain.clone()));
        self.fetch_layers(repository, jobs, sink).await?;
        let answer = index
            .as_ref()
            .map_or(&found.digest, |index| &index.digest)
            .clone();
        sink.status("", format!("Digest: {answer}"));
        let (reference, sink, explicit) =
            (reference.clone(), sink.clone(), request.platform.clone());
        let _naming = self.naming.lock().await;
        self.block(move |daemon| {
            for bytes in index
                .iter()
                .map(|index| &index.bytes)
                .chain([&config, &found.bytes])
            {
                daemon.store.blobs().put(bytes)?;
            }
            let image = Image::load(&daemon.store, &found.digest)?;
            warn_of_platform(&image, &reference, explicit.as_ref(), &sink);
            daemon.record_pull(&reference, &image, &answer, &sink)
        })
        .await
    }
}

/// The manifest for a platform, and the index it was found in.
pub(in crate::daemon) async fn choose(
    repository: &Repository,
    answer: FetchedManifest,
    wanted: &Platform,
) -> Result<(Option<FetchedManifest>, FetchedManifest), DaemonError> {
    let Document::Index(index) = &answer.document else {
        return Ok((None, answer));
    };
    let Some(entry) = index.choose(wanted) else {
        return Err(DaemonError::NotFoundText(format!(
            "no matching manifest for {wanted} in the manifest list entries"
        )));
    };
    let manifest = repository.manifest_of(&entry.digest).await?;
    if manifest.bytes.len() as u64 != entry.size {
        return Err(RegistryError::Size {
            digest: entry.digest.clone(),
            expected: entry.size,
            actual: manifest.bytes.len() as u64,
        }
        .into());
    }
    Ok((Some(answer), manifest))
}

fn digest_of(descriptor: &crate::oci::Descriptor) -> Result<Digest, DaemonError> {
    let digest = descriptor.digest().to_string().parse();
    Ok(digest.map_err(ImageError::from)?)
}

/// What a manifest may ask us to fetch: archives of files, at the registry itself.
fn check_layers(manifest: &ImageManifest) -> Result<(), DaemonError> {
    if manifest.layers().len() > LAYER_LIMIT {
        return Err(DaemonError::Invalid(format!(
            "the image has {} layers, more than the {LAYER_LIMIT} that can be stacked",
            manifest.layers().len()
        )));
    }
    let is_config = |kind: &str| {
        kind.is_empty()
            || kind.starts_with("application/vnd.oci.image.config.")
            || kind == "application/vnd.docker.container.image.v1+json"
            || kind == "application/octet-stream"
    };
    let kind = manifest.config().media_type().to_string();
    if !is_config(&kind) {
        return Err(DaemonError::Invalid(format!(
            "unsupported media type {kind}: it is an artifact and no image"
        )));
    }
    for layer in manifest.layers() {
        let kind = layer.media_type().to_string();
        if kind.contains("foreign") || kind.contains("nondistributable") || layer.urls().is_some() {
            return Err(DaemonError::Invalid(format!(
                "layer {} is kept outside the registry ({kind}): such layers are not fetched",
                layer.digest()
            )));
        }
        if !kind.contains("tar") {
            return Err(DaemonError::Invalid(format!(
                "invalid media type {kind} for layer {}: it is no archive of files",
                layer.digest()
            )));
        }
    }
    Ok(())
}

/// Which archives make which layers; the configuration and the manifest must agree on their number.
fn jobs(
    manifest: &ImageManifest,
    config: &[u8],
    config_digest: &Digest,
) -> Result<Vec<LayerJob>, DaemonError> {
    let config = ImageConfig::parse(config).map_err(|source| ImageError::Document {
        digest: config_digest.clone(),
        source,
    })?;
    let diff_ids = config.rootfs.diff_ids;
    if diff_ids.len() != manifest.layers().len() {
        return Err(DaemonError::Invalid(format!(
            "invalid image: its manifest has {} layers, its configuration {}",
            manifest.layers().len(),
            diff_ids.len()
        )));
    }
    let chains = chain_ids(&diff_ids);
    let mut jobs = Vec::new();
    for (at, (layer, diff_id)) in manifest.layers().iter().zip(diff_ids).enumerate() {
        jobs.push(LayerJob {
            blob: Wanted {
                digest: digest_of(layer)?,
                size: layer.size(),
            },
            diff_id,
            parent: at.checked_sub(1).map(|below| chains[below].clone()),
            chain: chains[at].clone(),
        });
    }
    Ok(jobs)
}

/// A registry that has only one platform gives that one, whatever was asked: Docker warns and goes on.
fn warn_of_platform(
    image: &Image,
    reference: &Reference,
    wanted: Option<&Platform>,
    sink: &ProgressSink,
) {
    let actual = Platform {
        os: image.config.os.clone(),
        architecture: image.config.architecture.clone(),
        variant: image.config.variant.clone(),
    };
    if let Some(wanted) = wanted
        && !actual.fits(wanted)
    {
        sink.status(
            "",
            format!(
                "WARNING: image with reference {} was found but does not match the specified platform: wanted \
                 {wanted}, actual: {actual}",
                reference.familiar()
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(layers: &str) -> ImageManifest {
        let digest = Digest::of(b"x");
        let config = format!(
            r#"{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{digest}","size":1}}"#
        );
        let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn layer(kind: &str, more: &str) -> String {
        format!(
            r#"{{"mediaType":"{kind}","digest":"{}","size":1{more}}}"#,
            Digest::of(b"y")
        )
    }

    #[test]
    fn layers_elsewhere_are_not_fetched() {
        let gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        assert!(check_layers(&manifest(&layer(gzip, ""))).is_ok());
        let elsewhere = r#","urls":["http://169.254.169.254/latest"]"#;
        assert!(check_layers(&manifest(&layer(gzip, elsewhere))).is_err());
        let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        assert!(check_layers(&manifest(&layer(foreign, ""))).is_err());
        assert!(check_layers(&manifest(&layer("application/x-evil", ""))).is_err());
    }

    #[test]
    fn a_hundred_thousand_layers_are_refused() {
        let one = layer("application/vnd.oci.image.layer.v1.tar", "");
        let many = vec![one; 10_000].join(",");
        assert!(check_layers(&manifest(&many)).is_err());
    }

    #[test]
    fn a_manifest_and_its_configuration_must_agree() {
        let manifest = manifest(&layer("application/vnd.oci.image.layer.v1.tar", ""));
        let config =
            br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        assert!(jobs(&manifest, config, &Digest::of(b"")).is_err());
    }
}

//! `pull`: from the catalogue when it knows the name, else from a registry.

mod catalogue;
mod layers;
mod registry;

use std::sync::Arc;

use crate::image::{Reference, Selector};
use crate::oci::Platform;
use crate::registry::Credentials;

use super::progress::ProgressSink;
use super::{Daemon, DaemonError};

/// What a client asks of a pull.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// The image; its tag does not matter when all are asked for.
    pub reference: Reference,
    /// One tag or all of the repository.
    pub tags: PulledTags,
    /// For which platform.
    pub platform: Option<Platform>,
    /// Who asks.
    pub credentials: Credentials,
}

/// Which tags of a repository are pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PulledTags {
    /// The one that is named.
    One,
    /// Every one.
    All,
}

impl PullRequest {
    /// Reads the parameters of the API: without a tag, all are meant.
    pub fn parse(
        name: &str,
        tag: Option<&str>,
        platform: Option<&str>,
        credentials: Credentials,
    ) -> Result<Self, DaemonError> {
        let text = match tag {
            None => name.to_owned(),
            Some(digest) if digest.starts_with("sha256:") => format!("{name}@{digest}"),
            Some(tag) => format!("{name}:{tag}"),
        };
        let reference = Reference::parse(&text)?;
        let last = name.rsplit('/').next().unwrap_or(name);
        let named = tag.is_some() || last.contains([':', '@']);
        let platform = platform.map(str::parse).transpose();
        Ok(Self {
            reference,
            tags: if named {
                PulledTags::One
            } else {
                PulledTags::All
            },
            platform: platform.map_err(|error: crate::oci::BadPlatform| {
                DaemonError::Invalid(error.to_string())
            })?,
            credentials,
        })
    }
}

impl Daemon {
    /// Pulls an image. An error before the first message is the answer to the request, not part of a stream.
    pub async fn pull(
        self: &Arc<Self>,
        request: PullRequest,
        sink: ProgressSink,
    ) -> Result<(), DaemonError> {
        let names = self.catalogue_names(&request).await?;
        if !names.is_empty() {
            let _naming = self.naming.lock().await;
            return self
                .block(move |daemon| {
                    names
                        .iter()
                        .try_for_each(|name| daemon.pull_from_catalogue(name, &sink))
                })
                .await;
        }
        let (reference, known) = (request.reference.clone(), self.clone());
        let watched = sink.clone();
        let transfer = self.reach(move |daemon, settings| async move {
            tokio::select! {
                done = daemon.pull_from_registry(&settings, &request, &sink) => done,
                () = watched.abandoned() => Err(DaemonError::Invalid("context canceled".into())),
            }
        });
        match transfer.await {
            Err(error) => Err(known.explain(&reference, error).await),
            done => done,
        }
    }

    /// The names of the catalogue that a request means.
    async fn catalogue_names(
        self: &Arc<Self>,
        request: &PullRequest,
    ) -> Result<Vec<Reference>, DaemonError> {
        let (reference, tags) = (request.reference.clone(), request.tags);
        let wanted = request.platform.clone();
        if wanted.is_some_and(|wanted| !Platform::host().fits(&wanted)) {
            return Ok(Vec::new());
        }
        self.block(move |daemon| {
            if tags == PulledTags::One {
                let known = daemon.catalogue_manifest(&reference)?;
                return Ok(known.map(|_| reference).into_iter().collect());
            }
            let Some(catalogue) = daemon.store.catalogue() else {
                return Ok(Vec::new());
            };
            let names = catalogue.tags().all()?.into_keys();
            let names = names.filter_map(|name| Reference::parse(&name).ok());
            Ok(names
                .filter(|name| name.familiar_name() == reference.familiar_name())
                .filter(|name| name.tag().is_some())
                .collect())
        })
        .await
    }

    /// Says what the failure of a pull means, in Docker's words.
    async fn explain(self: &Arc<Self>, reference: &Reference, error: DaemonError) -> DaemonError {
        let DaemonError::Registry(cause) = &error else {
            return error;
        };
        let name = reference.familiar_name();
        if cause.is_not_found() {
            return DaemonError::NotFoundText(format!(
                "manifest for {} not found: {cause}",
                reference.familiar()
            ));
        }
        if cause.is_denied() {
            return DaemonError::NotFoundText(format!(
                "pull access denied for {name}, repository does not exist or may require 'docker login': {cause}"
            ));
        }
        let from_default = reference.domain() == "docker.io" && self.store.catalogue().is_some();
        if !from_default || !matches!(**cause, crate::registry::RegistryError::Http { .. }) {
            return error;
        }
        // A platform without a network: what it offers is the catalogue.
        let asked = reference.clone();
        let known = self
            .block(move |daemon| daemon.knows_repository(&asked))
            .await;
        DaemonError::NotFoundText(if known.unwrap_or(false) {
            format!(
                "manifest for {} not found: manifest unknown: manifest unknown",
                reference.familiar()
            )
        } else {
            format!(
                "pull access denied for {name}, repository does not exist or may require 'docker login': the \
                 catalogue of this platform does not have it, and the registry cannot be reached: {cause}"
            )
        })
    }
}

/// The title of a pull: its tag or digest.
fn title(reference: &Reference) -> String {
    match reference.selector() {
        Selector::Tag(tag) => tag.clone(),
        Selector::Digest(digest) => digest.to_string(),
    }
}

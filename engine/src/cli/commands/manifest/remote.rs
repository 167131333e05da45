//! The registry's side of manifest commands: this client speaks to it itself.

use crate::cli::config;
use crate::cli::credentials::{Keyring, server_of};
use crate::cli::error::CliError;
use crate::image::{Reference, Selector};
use crate::oci::{Document, Platform};
use crate::registry::{
    Credentials, Endpoint, FetchedManifest, RegistryError, Repository, Settings,
};

use super::notebook::Page;

/// How a registry may be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// With a valid certificate.
    Secure,
    /// Without, and over plain HTTP too.
    Insecure,
}

impl Trust {
    /// What `--insecure` says.
    pub(super) fn of(matches: &crate::cli::flags::Matches) -> Self {
        if matches.on("insecure") {
            Self::Insecure
        } else {
            Self::Secure
        }
    }
}

/// Reaches the registry of a name.
pub(super) async fn reach(reference: &Reference, trust: Trust) -> Result<Endpoint, CliError> {
    let domain = reference.domain().to_owned();
    let insecure = if trust == Trust::Insecure {
        vec![domain.clone()]
    } else {
        Vec::new()
    };
    let settings = Settings::parse(&[], &insecure, "/".into())
        .map_err(|error| CliError::Said(error.to_string()))?;
    Endpoint::reach(&settings, &domain).await.map_err(said)
}

/// Who we are at the registry of a name.
pub(super) fn credentials(reference: &Reference) -> Result<Credentials, CliError> {
    let known =
        Keyring::load(&config::default_directory())?.get(&server_of(&reference.to_string()))?;
    Ok(
        known.map_or_else(Credentials::default, |known| Credentials {
            username: known.username,
            password: known.password,
            identity_token: known.identity_token,
            ..Credentials::default()
        }),
    )
}

/// A repository that is read.
pub(super) async fn repository(
    reference: &Reference,
    trust: Trust,
) -> Result<Repository, CliError> {
    let endpoint = reach(reference, trust).await?;
    Ok(Repository::to_pull(
        endpoint,
        reference.path(),
        credentials(reference)?,
    ))
}

/// What a name leads to.
pub(super) async fn fetch(
    repository: &Repository,
    reference: &Reference,
) -> Result<FetchedManifest, CliError> {
    let fetched = match reference.selector() {
        Selector::Tag(tag) => repository.manifest_of_tag(tag).await,
        Selector::Digest(digest) => repository.manifest_of(digest).await,
    };
    fetched.map_err(|error| {
        if error.is_not_found() {
            CliError::Said(format!("no such manifest: {}", reference.familiar()))
        } else {
            said(error)
        }
    })
}

/// The page about one image: its platform is read in its configuration.
pub(super) async fn page(
    repository: &Repository,
    name: String,
    fetched: &FetchedManifest,
) -> Result<Page, CliError> {
    let Document::Manifest(manifest) = &fetched.document else {
        return Err(CliError::Said(format!("{name} is a manifest list")));
    };
    let digest = manifest.config().digest().to_string().parse();
    let digest =
        digest.map_err(|error: crate::oci::BadDigest| CliError::Said(error.to_string()))?;
    let config = repository
        .small_blob(&digest, manifest.config().size())
        .await
        .map_err(said)?;
    let platform: Platform = serde_json::from_slice(&config).unwrap_or_default();
    Ok(Page::new(
        name,
        &fetched.media_type,
        &fetched.bytes,
        platform,
    ))
}

/// A registry's error as this client's.
pub(super) fn said(error: RegistryError) -> CliError {
    CliError::Said(error.to_string())
}

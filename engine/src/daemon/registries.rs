//! Questions to registries that move no image: logging in, searching, what a name leads to.

use std::sync::Arc;

use crate::api::types::{DistributionInspect, SearchResult};
use crate::image::{Reference, Selector};
use crate::oci::{Document, Platform};
use crate::registry::{
    Credentials, Endpoint, FetchedManifest, INDEX_SERVER, Login, RegistryError, Repository,
    SearchHit, Settings, search,
};

use super::{Daemon, DaemonError};

/// Results when the client names no number, as Docker's.
const SEARCH_LIMIT: u32 = 25;

impl Daemon {
    /// Checks a name and password at a registry.
    pub async fn log_in(
        self: &Arc<Self>,
        server: &str,
        credentials: Credentials,
    ) -> Result<Login, DaemonError> {
        let domain = domain_of(server);
        self.reach(move |_, settings| async move {
            let endpoint = Endpoint::reach(&settings, &domain).await?;
            Ok(endpoint.login(&credentials).await?)
        })
        .await
    }

    /// Repositories that fit a term: of the catalogue, and of the registry that the term begins with.
    pub async fn search(
        self: &Arc<Self>,
        term: &str,
        limit: Option<u32>,
    ) -> Result<Vec<SearchResult>, DaemonError> {
        let limit = limit.unwrap_or(SEARCH_LIMIT);
        if !(1..=100).contains(&limit) {
            return Err(DaemonError::Invalid(format!(
                "Limit {limit} is outside the range of [1, 100]"
            )));
        }
        if term.contains("://") {
            return Err(DaemonError::Invalid(format!(
                "invalid repository name: repository name ({term}) should not have a scheme"
            )));
        }
        let (domain, words) = match term.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first.to_owned(), rest.to_owned())
            }
            _ => (
                "docker.io".to_owned(),
                term.strip_prefix("library/").unwrap_or(term).to_owned(),
            ),
        };
        let mut found = Vec::new();
        if domain == "docker.io" {
            let words = words.clone();
            found = self
                .block(move |daemon| daemon.search_catalogue(&words))
                .await?;
        }
        let outside = self
            .reach(move |_, settings| async move {
                Ok(search(&settings, &domain, &words, limit).await?)
            })
            .await;
        match outside {
            Ok(hits) => {
                for hit in hits {
                    if !found.iter().any(|known| known.name == hit.name) {
                        found.push(result(hit));
                    }
                }
            }
            // A platform without a network still has its catalogue.
            Err(error) if self.store.catalogue().is_some() => tracing::debug!("search: {error}"),
            Err(error) => return Err(error),
        }
        found.truncate(limit as usize);
        Ok(found)
    }

    fn search_catalogue(&self, term: &str) -> Result<Vec<SearchResult>, DaemonError> {
        let Some(catalogue) = self.store.catalogue() else {
            return Ok(Vec::new());
        };
        let names = catalogue.tags().all()?.into_keys();
        let mut found: Vec<_> = names
            .filter_map(|name| Reference::parse(&name).ok())
            .map(|name| name.familiar_name())
            .filter(|name| name.contains(term))
            .collect();
        found.dedup();
        let result = |name: String| SearchResult {
            is_official: !name.contains('/'),
            description: "in the catalogue of this platform".into(),
            name,
            ..SearchResult::default()
        };
        Ok(found.into_iter().map(result).collect())
    }

    /// What a name leads to in its registry, without pulling it.
    pub async fn inspect_distribution(
        self: &Arc<Self>,
        name: &str,
        credentials: Credentials,
    ) -> Result<DistributionInspect, DaemonError> {
        let reference = Reference::parse(name)?;
        self.reach(move |_, settings| async move {
            let (repository, answer) = ask(&settings, &reference, credentials).await?;
            let platforms = match &answer.document {
                Document::Index(index) => index
                    .manifests
                    .iter()
                    .filter_map(|entry| entry.platform.clone())
                    .collect(),
                Document::Manifest(manifest) => {
                    let digest = manifest.config().digest().to_string();
                    let digest = digest.parse().map_err(crate::image::ImageError::from)?;
                    let config = repository
                        .small_blob(&digest, manifest.config().size())
                        .await?;
                    serde_json::from_slice::<Platform>(&config)
                        .into_iter()
                        .collect()
                }
            };
            Ok(DistributionInspect::new(
                &answer.media_type,
                &answer.digest,
                answer.bytes.len() as u64,
                platforms,
            ))
        })
        .await
    }
}

/// Asks the mirrors of Docker's registry, which do not learn who we are, then the registry itself.
async fn ask(
    settings: &Settings,
    reference: &Reference,
    credentials: Credentials,
) -> Result<(Repository, FetchedManifest), DaemonError> {
    if reference.domain() == "docker.io" {
        for mirror in &settings.mirrors {
            let Ok(endpoint) = Endpoint::reach_mirror(settings, mirror).await else {
                continue;
            };
            let repository =
                Repository::to_pull(endpoint, reference.path(), Credentials::default());
            if let Ok(answer) = manifest(&repository, reference).await {
                return Ok((repository, answer));
            }
        }
    }
    let endpoint = Endpoint::reach(settings, reference.domain()).await?;
    let repository = Repository::to_pull(endpoint, reference.path(), credentials);
    let answer = manifest(&repository, reference).await?;
    Ok((repository, answer))
}

async fn manifest(
    repository: &Repository,
    reference: &Reference,
) -> Result<FetchedManifest, RegistryError> {
    match reference.selector() {
        Selector::Tag(tag) => repository.manifest_of_tag(tag).await,
        Selector::Digest(digest) => repository.manifest_of(digest).await,
    }
}

fn result(hit: SearchHit) -> SearchResult {
    SearchResult {
        name: hit.name,
        description: hit.description,
        is_official: hit.is_official,
        star_count: hit.star_count,
        ..SearchResult::default()
    }
}

/// The registry that a server's address means: clients send `https://index.docker.io/v1/` for Docker's own.
fn domain_of(server: &str) -> String {
    let plain = server
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let host = plain.split('/').next().unwrap_or(plain);
    if server == INDEX_SERVER
        || matches!(
            host,
            "" | "docker.io" | "index.docker.io" | "registry-1.docker.io"
        )
    {
        "docker.io".to_owned()
    } else {
        host.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_host() {
        for (server, domain) in [
            ("", "docker.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("docker.io", "docker.io"),
            ("r.test:5000", "r.test:5000"),
            ("https://r.test/v2/", "r.test"),
        ] {
            assert_eq!(domain_of(server), domain, "{server:?}");
        }
    }
}

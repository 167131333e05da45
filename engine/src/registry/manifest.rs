//! Manifests and other small documents of a repository, and its tags.

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::oci::{DOCKER_LIST, DOCKER_MANIFEST, Digest, Document, OCI_INDEX, OCI_MANIFEST};

use super::client::collect;
use super::{RegistryError, Repository};

/// No manifest, index or configuration is larger; the OCI specification asks for at least this.
pub const DOCUMENT_LIMIT: u64 = 4 << 20;
/// No repository has more tags than we read.
const TAG_LIMIT: usize = 100_000;

/// A manifest or index as it came, verified.
#[derive(Clone, Debug)]
pub struct FetchedManifest {
    /// What the registry says it is.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// As it came: its digest is that of these bytes.
    pub bytes: Vec<u8>,
    /// What it says.
    pub document: Document,
}

impl Repository {
    /// Fetches the manifest or index of a tag.
    pub async fn manifest_of_tag(&self, tag: &str) -> Result<FetchedManifest, RegistryError> {
        self.manifest(tag, None).await
    }

    /// Fetches the manifest or index with this digest.
    pub async fn manifest_of(&self, digest: &Digest) -> Result<FetchedManifest, RegistryError> {
        self.manifest(&digest.to_string(), Some(digest)).await
    }

    async fn manifest(
        &self,
        name: &str,
        expected: Option<&Digest>,
    ) -> Result<FetchedManifest, RegistryError> {
        let url = self.url(&format!("manifests/{name}"))?;
        let answer = self.ask(Method::GET, url.clone(), &accept()).await?;
        let media_type = header(answer.headers(), CONTENT_TYPE.as_str()).unwrap_or_default();
        let told: Option<Digest> =
            header(answer.headers(), "docker-content-digest").and_then(|told| told.parse().ok());
        let bytes = collect(answer, DOCUMENT_LIMIT).await?;
        let digest = Digest::of(&bytes);
        if let Some(expected) = expected.or(told.as_ref())
            && *expected != digest
        {
            return Err(RegistryError::Digest {
                what: "manifest",
                expected: expected.clone(),
                actual: digest,
            });
        }
        let document = Document::parse(&bytes, Some(&media_type)).map_err(|source| {
            RegistryError::Document {
                url: Box::new(url),
                source,
            }
        })?;
        Ok(FetchedManifest {
            media_type,
            digest,
            bytes,
            document,
        })
    }

    /// Fetches a small blob, verified: a configuration.
    pub async fn small_blob(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, RegistryError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        if size > DOCUMENT_LIMIT {
            return Err(RegistryError::TooLarge {
                url: Box::new(url),
                limit: DOCUMENT_LIMIT,
            });
        }
        let answer = self.ask(Method::GET, url, &HeaderMap::new()).await?;
        let bytes = collect(answer, DOCUMENT_LIMIT).await?;
        let actual = Digest::of(&bytes);
        if actual != *digest {
            return Err(RegistryError::Digest {
                what: "image config",
                expected: digest.clone(),
                actual,
            });
        }
        if bytes.len() as u64 != size {
            return Err(RegistryError::Size {
                digest: digest.clone(),
                expected: size,
                actual: bytes.len() as u64,
            });
        }
        Ok(bytes)
    }

    /// Stores a manifest or index under a tag or its digest; gives the digest.
    pub async fn put_manifest(
        &self,
        name: &str,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Digest, RegistryError> {
        let url = self.url(&format!("manifests/{name}"))?;
        let digest = Digest::of(&bytes);
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(media_type)
            .map_err(|_| RegistryError::Address(media_type.to_owned()))?;
        headers.insert(CONTENT_TYPE, value);
        let answer = self.send(Method::PUT, &url, &headers, bytes.into()).await?;
        let told = header(answer.headers(), "docker-content-digest");
        match told.map(|told| told.parse::<Digest>()).transpose()? {
            Some(told) if told != digest => Err(RegistryError::Digest {
                what: "manifest",
                expected: digest,
                actual: told,
            }),
            _ => Ok(digest),
        }
    }

    /// All tags, page by page.
    pub async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let mut tags = Vec::new();
        let mut url = self.url("tags/list")?;
        loop {
            let answer = self
                .ask(Method::GET, url.clone(), &HeaderMap::new())
                .await?;
            let next = next_page(answer.headers(), &url);
            let bytes = collect(answer, DOCUMENT_LIMIT).await?;
            let page: Page =
                serde_json::from_slice(&bytes).map_err(|error| RegistryError::Answer {
                    url: Box::new(url.clone()),
                    why: error.to_string(),
                })?;
            let count = tags.len();
            tags.extend(page.tags.unwrap_or_default());
            match next {
                Some(next)
                    if self.endpoint.owns(&next)
                        && next != url
                        && tags.len() > count
                        && tags.len() < TAG_LIMIT =>
                {
                    url = next;
                }
                _ => return Ok(tags),
            }
        }
    }
}

fn accept() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for kind in [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX] {
        headers.append(ACCEPT, HeaderValue::from_static(kind));
    }
    headers
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// `Link: </v2/…?last=x>; rel="next"`
fn next_page(headers: &HeaderMap, from: &Url) -> Option<Url> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (address, rest) = link.strip_prefix('<')?.split_once('>')?;
    rest.contains("rel=\"next\"")
        .then(|| from.join(address).ok())?
}

//! A blob goes: unless it is there already, here or in another repository of the same registry.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Body, Method, Response, Url};
use tokio::io::AsyncReadExt;

use crate::oci::Digest;

use super::{RegistryError, Repository};

/// Bytes read at once.
const PIECE: usize = 256 << 10;

/// A blob on this disk.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its name.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// How a blob came to be in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was there.
    Known,
    /// The registry took it from this repository of its own.
    Mounted(String),
    /// It was sent.
    Sent,
}

impl Repository {
    /// Whether the repository has a blob.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        match self.ask(Method::HEAD, url, &HeaderMap::new()).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Brings a blob into the repository; `sources` are repositories of this registry that may have it.
    pub async fn store_blob(
        &self,
        blob: &Blob,
        sources: &[String],
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Stored, RegistryError> {
        if self.has_blob(&blob.digest).await? {
            return Ok(Stored::Known);
        }
        let mut session = None;
        for source in sources {
            match self.mount(&blob.digest, source).await? {
                Mount::Done => return Ok(Stored::Mounted(source.clone())),
                Mount::Session(url) => session = Some(url),
            }
        }
        let progress: Arc<dyn Fn(u64) + Send + Sync> = Arc::new(progress);
        let mut attempt = 0;
        loop {
            let url = match session.take() {
                Some(url) => url,
                None => self.begin().await?,
            };
            match self.send_blob(blob, url, Arc::clone(&progress)).await {
                Ok(()) => return Ok(Stored::Sent),
                Err(error)
                    if error.is_passing() && attempt + 1 < self.endpoint.settings.attempts =>
                {
                    attempt += 1;
                    tracing::info!("sending {} is begun again: {error}", blob.digest);
                    tokio::time::sleep(Duration::from_millis(250 << attempt)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a blob from another repository of the registry; tells whether it is there now.
    pub async fn mount_blob(&self, digest: &Digest, from: &str) -> Result<bool, RegistryError> {
        if self.has_blob(digest).await? {
            return Ok(true);
        }
        Ok(matches!(self.mount(digest, from).await?, Mount::Done))
    }

    /// Asks the registry to take a blob from a repository it has.
    async fn mount(&self, digest: &Digest, from: &str) -> Result<Mount, RegistryError> {
        let mut url = self.url("blobs/uploads/")?;
        url.query_pairs_mut()
            .append_pair("mount", &digest.to_string())
            .append_pair("from", from);
        let answer = self.post_empty(url.clone()).await?;
        match answer.status().as_u16() {
            201 => Ok(Mount::Done),
            _ => Ok(Mount::Session(self.location(&answer, &url)?)),
        }
    }

    async fn begin(&self) -> Result<Url, RegistryError> {
        let url = self.url("blobs/uploads/")?;
        let answer = self.post_empty(url.clone()).await?;
        self.location(&answer, &url)
    }

    async fn post_empty(&self, url: Url) -> Result<Response, RegistryError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        self.ask(Method::POST, url, &headers).await
    }

    /// Where an upload goes on: on the registry itself, because our credentials go along.
    fn location(&self, answer: &Response, asked: &Url) -> Result<Url, RegistryError> {
        let wrong = |why: String| RegistryError::Answer {
            url: Box::new(asked.clone()),
            why,
        };
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| wrong("it opens an upload and does not say where".to_owned()))?;
        let url = asked
            .join(location)
            .map_err(|_| wrong(format!("{location:?} is no address")))?;
        self.endpoint.check_target(&url)?;
        Ok(url)
    }

    async fn send_blob(
        &self,
        blob: &Blob,
        mut url: Url,
        progress: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> Result<(), RegistryError> {
        url.query_pairs_mut()
            .append_pair("digest", &blob.digest.to_string());
        let file = tokio::fs::File::open(&blob.path).await;
        let file = file.map_err(|source| RegistryError::Read {
            digest: blob.digest.clone(),
            source,
        })?;
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let pieces = stream::try_unfold((file, 0_u64), move |(mut file, done)| {
            let (counter, progress) = (Arc::clone(&counter), Arc::clone(&progress));
            async move {
                let mut piece = Vec::with_capacity(PIECE);
                if (&mut file)
                    .take(PIECE as u64)
                    .read_to_end(&mut piece)
                    .await?
                    == 0
                {
                    return Ok::<_, std::io::Error>(None);
                }
                let done = done + piece.len() as u64;
                counter.store(done, Ordering::Relaxed);
                progress(done);
                Ok(Some((Bytes::from(piece), (file, done))))
            }
        });
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        headers.insert(CONTENT_LENGTH, HeaderValue::from(blob.size));
        let request = self.send(Method::PUT, &url, &headers, Body::wrap_stream(pieces));
        tokio::pin!(request);
        let mut before = 0;
        // A registry that verifies a large blob may be silent after the last byte.
        let mut patience = 3;
        loop {
            match tokio::time::timeout(self.endpoint.settings.patience, &mut request).await {
                Ok(answer) => return answer.map(drop),
                Err(_) => {
                    let now = sent.load(Ordering::Relaxed);
                    patience = if now > before { 3 } else { patience - 1 };
                    before = now;
                    if patience == 0 {
                        return Err(RegistryError::Stalled {
                            url: Box::new(url.clone()),
                            seconds: self.endpoint.settings.patience.as_secs() * 3,
                            attempts: self.endpoint.settings.attempts,
                        });
                    }
                }
            }
        }
    }
}

enum Mount {
    Done,
    Session(Url),
}

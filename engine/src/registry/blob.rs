//! A blob comes: taken up again where it broke off, never longer than was told, never too slow.

use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response, Url};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::oci::Digest;

use super::{RegistryError, Repository};

/// How many pieces may wait for the disk.
const DEPTH: usize = 32;
/// A transfer that brings less than this in one span of patience has stalled.
const LEAST: u64 = 1 << 10;

/// A blob as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// Reads on a blocking thread what arrives; a transfer that is cut short is an error, never an end.
#[derive(Debug)]
pub struct BlobReader {
    pieces: mpsc::Receiver<Bytes>,
    current: Bytes,
    left: u64,
}

impl BlobReader {
    /// The two ends of a transfer of `size` bytes.
    pub fn new(size: u64) -> (mpsc::Sender<Bytes>, Self) {
        let (give, pieces) = mpsc::channel(DEPTH);
        let reader = Self {
            pieces,
            current: Bytes::new(),
            left: size,
        };
        (give, reader)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.current = piece,
                None if self.left == 0 => return Ok(0),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

impl Repository {
    /// Fetches a blob piece by piece. Whoever takes the pieces compares the digest.
    pub async fn fetch_blob(
        &self,
        wanted: &Wanted,
        to: mpsc::Sender<Bytes>,
        mut progress: impl FnMut(u64),
    ) -> Result<(), RegistryError> {
        let url = self.url(&format!("blobs/{}", wanted.digest))?;
        let (mut done, mut attempt) = (0, 0);
        loop {
            let before = done;
            let result = self
                .fetch_rest(&url, wanted, &mut done, &to, &mut progress)
                .await;
            let error = match result {
                Ok(()) => return Ok(()),
                Err(error) if error.is_passing() => error,
                Err(error) => return Err(error),
            };
            // What brings something may go on for ever; what brings nothing may not.
            attempt = if done > before { 1 } else { attempt + 1 };
            if attempt >= self.endpoint.settings.attempts {
                return Err(error);
            }
            tracing::info!("{url} broke off after {done} bytes, and is taken up again: {error}");
            tokio::time::sleep(Duration::from_millis(250 << attempt.min(6))).await;
        }
    }

    async fn fetch_rest(
        &self,
        url: &Url,
        wanted: &Wanted,
        done: &mut u64,
        to: &mpsc::Sender<Bytes>,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), RegistryError> {
        if *done == wanted.size && wanted.size > 0 {
            return Ok(());
        }
        let mut headers = HeaderMap::new();
        if *done > 0 {
            let range =
                HeaderValue::try_from(format!("bytes={done}-")).expect("digits are plain text");
            headers.insert(RANGE, range);
        }
        let mut answer = self.ask(Method::GET, url.clone(), &headers).await?;
        let mut skip = match answer.status().as_u16() {
            206 if begins_at(&answer) == Some(*done) => 0,
            206 => {
                return Err(RegistryError::Answer {
                    url: Box::new(url.clone()),
                    why: "it sends another part than the one that was asked for".to_owned(),
                });
            }
            // It knows no ranges: what we have is passed over.
            _ => *done,
        };
        let patience = self.endpoint.settings.patience;
        let stalled = || RegistryError::Stalled {
            url: Box::new(url.clone()),
            seconds: patience.as_secs(),
            attempts: self.endpoint.settings.attempts,
        };
        let (mut since, mut brought) = (Instant::now(), 0);
        loop {
            let left = patience.saturating_sub(since.elapsed());
            let piece = match timeout(left, answer.chunk()).await {
                Err(_) if brought < LEAST => return Err(stalled()),
                Err(_) => {
                    (since, brought) = (Instant::now(), 0);
                    continue;
                }
                Ok(piece) => piece.map_err(RegistryError::http(&Method::GET, url))?,
            };
            let Some(mut piece) = piece else { break };
            brought += piece.len() as u64;
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
            skip -= passed as u64;
            let _ = piece.split_to(passed);
            let size = *done + piece.len() as u64;
            if size > wanted.size {
                return Err(size_error(wanted, size));
            }
            if piece.is_empty() {
                continue;
            }
            if to.send(piece).await.is_err() {
                return Err(RegistryError::Abandoned {
                    digest: wanted.digest.clone(),
                });
            }
            *done = size;
            progress(size);
        }
        if *done == wanted.size {
            Ok(())
        } else {
            Err(size_error(wanted, *done))
        }
    }
}

fn size_error(wanted: &Wanted, actual: u64) -> RegistryError {
    RegistryError::Size {
        digest: wanted.digest.clone(),
        expected: wanted.size,
        actual,
    }
}

/// `Content-Range: bytes 100-199/200`
fn begins_at(answer: &Response) -> Option<u64> {
    let range = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}

//! A file of the web, for those who name one: `docker import URL`.

use std::io::{self, Read};

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use tokio::sync::mpsc;

use super::endpoint::Endpoint;
use super::{Credentials, RegistryError, Repository, Settings};

/// How many pieces may wait for the disk.
const DEPTH: usize = 32;

/// Where the pieces go.
#[derive(Debug)]
pub struct DownloadWriter(mpsc::Sender<io::Result<Bytes>>);

/// Reads on a blocking thread what arrives; a file that is cut short is an error, never an end.
#[derive(Debug)]
pub struct DownloadReader {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

/// The two ends of a download.
pub fn download_pipe() -> (DownloadWriter, DownloadReader) {
    let (give, pieces) = mpsc::channel(DEPTH);
    let reader = DownloadReader {
        pieces,
        current: Bytes::new(),
    };
    (DownloadWriter(give), reader)
}

impl Read for DownloadReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.current = piece?,
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

/// Fetches a file over HTTP or HTTPS. Redirects are followed as a registry's are.
pub async fn download(
    settings: &Settings,
    address: &str,
    to: DownloadWriter,
) -> Result<(), RegistryError> {
    let bad = || RegistryError::Address(address.to_owned());
    let url = match address.contains("://") {
        true => Url::parse(address),
        false => Url::parse(&format!("http://{address}")),
    };
    let url = url.map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad());
    }
    let result = transfer(settings, url, &to).await;
    if result.is_err() {
        // Whoever reads must not take half a file for a whole one.
        let _ = to.0.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
    }
    result
}

async fn transfer(settings: &Settings, url: Url, to: &DownloadWriter) -> Result<(), RegistryError> {
    let endpoint = Endpoint::without_greeting(settings, &url)?;
    let server = Repository::to_pull(endpoint, "", Credentials::default());
    let mut answer = server
        .ask(Method::GET, url.clone(), &HeaderMap::new())
        .await?;
    loop {
        let piece = answer.chunk().await;
        let Some(piece) = piece.map_err(RegistryError::http(&Method::GET, &url))? else {
            return Ok(());
        };
        // Whoever stopped reading says why.
        if to.0.send(Ok(piece)).await.is_err() {
            return Ok(());
        }
    }
}

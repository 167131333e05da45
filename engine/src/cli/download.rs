//! Answers that are files: `export`, `save` and `cp` from a container.

use std::fs::File;
use std::io::{self, Read, Write, stdout};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::error::CliError;
use super::path::Query;
use super::tty;

/// Where an answer is written.
#[derive(Debug)]
pub(crate) enum Destination {
    /// A file of this name, made anew.
    File(String),
    /// Stdout, which must not be a terminal.
    Stdout,
}

impl Destination {
    /// `-o FILE`, or stdout when that is not a terminal.
    pub(crate) fn choose(file: Option<&str>) -> Result<Self, CliError> {
        match file {
            Some(file) => Ok(Self::File(file.to_owned())),
            None if tty::has_output() => Err(CliError::Said(
                "cowardly refusing to save to a terminal. Use the -o flag or redirect".to_owned(),
            )),
            None => Ok(Self::Stdout),
        }
    }
}

/// Writes a whole answer.
pub(crate) async fn write(
    query: &Query,
    response: Response<Incoming>,
    to: Destination,
) -> Result<(), CliError> {
    match to {
        Destination::Stdout => {
            copy(query, response, |bytes| {
                stdout().write_all(bytes).map_err(CliError::Output)
            })
            .await
        }
        Destination::File(path) => {
            let failed = |source| CliError::File {
                what: "write",
                path: path.clone(),
                source,
            };
            let mut file = File::create(&path).map_err(failed)?;
            copy(query, response, |bytes| {
                file.write_all(bytes).map_err(failed)
            })
            .await
        }
    }
}

/// Gives an answer to a blocking reader on a thread of its own, piece by piece.
pub(crate) async fn feed<T: Send + 'static>(
    query: &Query,
    response: Response<Incoming>,
    read: impl FnOnce(Pieces) -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    let (send, receive) = mpsc::channel(4);
    let reader = tokio::task::spawn_blocking(move || read(Pieces::new(receive)));
    let mut body = response.into_body();
    let mut broken = None;
    while let Some(frame) = body.frame().await {
        let piece = match frame {
            Ok(frame) => frame
                .into_data()
                .map(Ok)
                .unwrap_or_else(|_| Ok(Bytes::new())),
            Err(source) => {
                let why = io::Error::other(source.to_string());
                broken = Some(source);
                Err(why)
            }
        };
        // A reader that has stopped has failed, and says why.
        if send.send(piece).await.is_err() || broken.is_some() {
            break;
        }
    }
    drop(send);
    let read = reader.await.expect("the reader does not panic");
    match broken {
        Some(source) => Err(CliError::Broken {
            doing: query.as_str().to_owned(),
            source,
        }),
        None => read,
    }
}

/// The pieces of an answer as one stream.
#[derive(Debug)]
pub(crate) struct Pieces {
    receive: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl Pieces {
    fn new(receive: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self {
            receive,
            rest: Bytes::new(),
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.receive.blocking_recv() {
                Some(piece) => self.rest = piece?,
                None => return Ok(0),
            }
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest.split_to(count));
        Ok(count)
    }
}

/// Gives each piece of an answer to `write`.
pub(crate) async fn copy(
    query: &Query,
    response: Response<Incoming>,
    mut write: impl FnMut(&[u8]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| CliError::Broken {
            doing: query.as_str().to_owned(),
            source,
        })?;
        if let Some(bytes) = frame.data_ref() {
            write(bytes)?;
        }
    }
    Ok(())
}

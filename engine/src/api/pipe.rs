//! Between async bodies and blocking readers and writers: a bounded channel of pieces.

use std::io::{self, Read, Write};

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

/// How many pieces may wait; the faster side is held up.
const DEPTH: usize = 8;
/// Bytes collected before they travel.
const PIECE: usize = 64 << 10;

/// Reads a request's body on a blocking thread.
pub(crate) struct BodyReader {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl BodyReader {
    /// Starts to receive the body.
    pub(crate) fn new(body: Body) -> Self {
        let (give, pieces) = mpsc::channel(DEPTH);
        tokio::spawn(async move {
            let mut body = body.into_data_stream();
            while let Some(piece) = body.next().await {
                // Who stopped reading has failed already and says so.
                if give.send(piece.map_err(io::Error::other)).await.is_err() {
                    return;
                }
            }
        });
        Self {
            pieces,
            current: Bytes::new(),
        }
    }
}

impl Read for BodyReader {
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

/// Writes an answer's body from a blocking thread.
pub(crate) struct BodyWriter {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    collected: Vec<u8>,
}

impl BodyWriter {
    /// A writer, the body it writes, and a way to break the body off when writing fails.
    pub(crate) fn new() -> (Self, Body, Breaker) {
        let (pieces, take) = mpsc::channel(DEPTH);
        let body = stream::unfold(take, |mut take| async {
            take.recv().await.map(|piece| (piece, take))
        });
        let breaker = Breaker(pieces.clone());
        (
            Self {
                pieces,
                collected: Vec::with_capacity(PIECE),
            },
            Body::from_stream(body),
            breaker,
        )
    }

    fn send(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::replace(
            &mut self.collected,
            Vec::with_capacity(PIECE),
        ));
        self.pieces
            .blocking_send(Ok(piece))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for BodyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.collected.extend_from_slice(bytes);
        if self.collected.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.collected.is_empty() {
            Ok(())
        } else {
            self.send()
        }
    }
}

/// Ends a body with an error, so that a client does not take half an archive for a whole one.
pub(crate) struct Breaker(mpsc::Sender<io::Result<Bytes>>);

impl Breaker {
    /// Breaks the body off.
    pub(crate) async fn fail(self, why: String) {
        tracing::error!("an archive was cut short: {why}");
        // The client has gone already.
        let _ = self.0.send(Err(io::Error::other(why))).await;
    }
}

//! Writing beside reading: what is hashed or kept goes to another thread, piece by piece.
//!
//! An archive is hashed, stored and unpacked in one pass; on one thread these three would wait for each other.

use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes that travel at once.
const PIECE: usize = 256 << 10;
/// Pieces that may wait; the faster side is held up.
const DEPTH: usize = 8;

/// A writer on a thread of its own.
#[derive(Debug)]
pub struct Background<W: Write + Send + 'static> {
    pieces: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<io::Result<W>>>,
    collected: Vec<u8>,
}

impl<W: Write + Send + 'static> Background<W> {
    /// Moves a writer to a thread.
    pub fn new(mut writer: W) -> io::Result<Self> {
        let (give, take) = sync_channel::<Vec<u8>>(DEPTH);
        let thread = std::thread::Builder::new().name("archive".into());
        let thread = thread.spawn(move || {
            for piece in take {
                writer.write_all(&piece)?;
            }
            Ok(writer)
        })?;
        Ok(Self {
            pieces: Some(give),
            thread: Some(thread),
            collected: Vec::with_capacity(PIECE),
        })
    }

    /// Waits until everything is written, and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.send()?;
        self.end()
    }

    fn send(&mut self) -> io::Result<()> {
        if self.collected.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.collected, Vec::with_capacity(PIECE));
        let sent = self
            .pieces
            .as_ref()
            .is_some_and(|pieces| pieces.send(piece).is_ok());
        if sent {
            return Ok(());
        }
        // The thread ended early: its error is the reason.
        self.end().and(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn end(&mut self) -> io::Result<W> {
        self.pieces = None;
        let thread = self.thread.take().ok_or(io::ErrorKind::BrokenPipe)?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the writing thread panicked")))
    }
}

impl<W: Write + Send + 'static> Write for Background<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.collected.extend_from_slice(bytes);
        if self.collected.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

impl<W: Write + Send + 'static> Drop for Background<W> {
    fn drop(&mut self) {
        // What the writer does when it is given up (a blob removes its file) is done when this returns.
        if self.thread.is_some() {
            let _ = self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_arrives_in_order() {
        let bytes: Vec<u8> = (0..3_000_000_u32)
            .map(|number| number.to_le_bytes()[1])
            .collect();
        let mut background = Background::new(Vec::new()).unwrap();
        for piece in bytes.chunks(70_001) {
            background.write_all(piece).unwrap();
        }
        assert!(background.finish().unwrap() == bytes);
    }

    #[test]
    fn the_first_failure_is_told() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut background = Background::new(Full).unwrap();
        let written = (0..100).try_for_each(|_| background.write_all(&[0; PIECE]));
        let kind = written
            .and_then(|()| background.finish().map(drop))
            .unwrap_err()
            .kind();
        assert_eq!(kind, io::ErrorKind::StorageFull);
    }
}

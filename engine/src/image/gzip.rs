//! gzip(1) on all processors: pieces are packed on their own and follow one another, as RFC 1952 has it (section 2.2).
//!
//! Pieces have one size, so that the same bytes give the same archive on any machine.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Plain bytes of one piece.
const PIECE: usize = 1 << 20;
/// No more threads: memory grows with them, and a disk is not faster.
const MOST_THREADS: usize = 8;

/// A piece, and where it goes when it is packed.
type Job = (Vec<u8>, SyncSender<io::Result<Vec<u8>>>);

/// A writer that packs what it is given.
#[derive(Debug)]
pub(super) struct Gzip<W> {
    out: W,
    piece: Vec<u8>,
    jobs: Option<Sender<Job>>,
    /// Pieces under way, in order.
    waiting: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    threads: Vec<JoinHandle<()>>,
    is_empty: bool,
}

impl<W: Write> Gzip<W> {
    /// Starts the threads.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let count = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(MOST_THREADS);
        let (jobs, take) = channel::<Job>();
        let take = Arc::new(Mutex::new(take));
        let threads = (0..count).map(|_| {
            let take = Arc::clone(&take);
            let thread = std::thread::Builder::new().name("gzip".into());
            thread.spawn(move || work(&take))
        });
        Ok(Self {
            out,
            piece: Vec::with_capacity(PIECE),
            jobs: Some(jobs),
            waiting: VecDeque::new(),
            threads: threads.collect::<io::Result<_>>()?,
            is_empty: true,
        })
    }

    /// Writes what is left and gives the writer below back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        // An archive of nothing is one empty piece.
        if !self.piece.is_empty() || self.is_empty {
            self.send()?;
        }
        while !self.waiting.is_empty() {
            self.take()?;
        }
        self.jobs = None;
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| panicked())?;
        }
        Ok(self.out)
    }

    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let (give, take) = sync_channel(1);
        let jobs = self.jobs.as_ref().ok_or_else(panicked)?;
        jobs.send((piece, give)).map_err(|_| panicked())?;
        self.waiting.push_back(take);
        self.is_empty = false;
        if self.waiting.len() > 2 * self.threads.len() {
            self.take()?;
        }
        Ok(())
    }

    /// Waits for the oldest piece and writes it.
    fn take(&mut self) -> io::Result<()> {
        let Some(packed) = self.waiting.pop_front() else {
            return Ok(());
        };
        let packed = packed.recv().map_err(|_| panicked())??;
        self.out.write_all(&packed)
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn panicked() -> io::Error {
    io::Error::other("a packing thread panicked")
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // Held while waiting: the others have their turn when this one works.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((piece, give)) = job else {
            return;
        };
        let mut packer = GzEncoder::new(Vec::with_capacity(PIECE / 2), Compression::fast());
        let packed = packer.write_all(&piece).and_then(|()| packer.finish());
        // Whoever gave the piece may have given up.
        let _ = give.send(packed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_is_packed_in_pieces_comes_back_as_one() {
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 9 * PIECE + 77] {
            let bytes: Vec<u8> = (0..size).map(|at| (at / 7 % 251) as u8).collect();
            let mut gzip = Gzip::new(Vec::new()).unwrap();
            for part in bytes.chunks(70_001) {
                gzip.write_all(part).unwrap();
            }
            let packed = gzip.finish().unwrap();
            let mut plain = Vec::new();
            let mut decoder = flate2::read::MultiGzDecoder::new(packed.as_slice());
            decoder.read_to_end(&mut plain).unwrap();
            assert!(plain == bytes, "{size}");
            assert!(
                !packed.is_empty() && packed.len() < size / 10 + 200,
                "{size}"
            );
        }
    }

    #[test]
    fn a_full_disk_is_told() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut gzip = Gzip::new(Full).unwrap();
        gzip.write_all(&[1; 10]).unwrap();
        assert_eq!(
            gzip.finish().map(drop).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
    }
}

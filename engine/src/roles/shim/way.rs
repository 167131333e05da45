//! A socket that is written to as fast as its other end reads; the rest waits.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// With more than this unread by a client its process is not read either, for a while.
const OUTPUT_MAX: usize = 1 << 20;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Way {
    socket: File,
    waiting: VecDeque<u8>,
}

impl Way {
    /// A way over a socket, which does not block from now on.
    pub(super) fn over(socket: OwnedFd) -> io::Result<Self> {
        kernel::file::set_nonblocking(socket.as_fd()).map_err(|e| e.source)?;
        Ok(Self {
            socket: File::from(socket),
            waiting: VecDeque::new(),
        })
    }

    /// Sends two parts, one behind the other. What is taken at once is not copied.
    pub(super) fn send(&mut self, head: &[u8], bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        if self.waiting.is_empty() {
            let parts = [IoSlice::new(head), IoSlice::new(bytes)];
            match self.socket.write_vectored(&parts) {
                Ok(count) => sent = count,
                Err(e) if is_for_later(&e) => {}
                Err(e) => return Err(e),
            }
        }
        self.waiting.extend(head.get(sent..).unwrap_or_default());
        self.waiting
            .extend(&bytes[sent.saturating_sub(head.len())..]);
        Ok(())
    }

    /// Sends what is taken of the rest; whether anything was.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let mut moved = false;
        while !self.waiting.is_empty() {
            match self.socket.write(self.waiting.as_slices().0) {
                Ok(n) => {
                    self.waiting.drain(..n);
                    moved = true;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => {
                    self.waiting.clear();
                    return Err(e);
                }
            }
        }
        Ok(moved)
    }

    /// Adds what is sent by a later [`flush`](Self::flush).
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend(bytes);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether so much waits that whoever makes it must wait too.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() > OUTPUT_MAX
    }
}

impl AsFd for Way {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

//! A connection to the shim: what it has sent, what waits to be sent to it.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::logs::Stream;
use crate::runtime::handshake::{Frame, Streams};

/// With more than this unread by a client its process is not read either, for a while.
const OUTPUT_MAX: usize = 1 << 20;

/// So long a client that reads nothing may hold up a container.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It may ask.
    Asking,
    /// It is told when this process ends.
    Waiting(u64),
    /// It is a stream of this process.
    Attached(u64, Streams),
    /// It is closed when all has been sent.
    Leaving,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    /// The socket, which never blocks.
    pub(super) stream: UnixStream,
    /// What it is for.
    pub(super) mode: Mode,
    inbox: Vec<u8>,
    outbox: VecDeque<u8>,
    stalled: Option<Instant>,
    gone: bool,
}

impl Client {
    /// A new connection.
    pub(super) fn new(stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            mode: Mode::Asking,
            inbox: Vec::new(),
            outbox: VecDeque::new(),
            stalled: None,
            gone: false,
        })
    }

    /// Reads what there is and returns the whole frames.
    pub(super) fn read(&mut self) -> Vec<Frame> {
        let mut buffer = [0; 4 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.gone = true,
            Ok(n) => self.inbox.extend_from_slice(&buffer[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.gone = true,
        }
        let mut frames = Vec::new();
        loop {
            match Frame::decode(&mut self.inbox) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return frames,
                Err(_) => {
                    self.gone = true;
                    return frames;
                }
            }
        }
    }

    /// Sends a frame, now or when the client reads.
    pub(super) fn send(&mut self, frame: &Frame) {
        self.outbox.extend(frame.encode());
        self.flush();
    }

    /// Sends output of a process. What is taken at once is not copied.
    pub(super) fn send_output(&mut self, stream: Stream, bytes: &[u8]) {
        let head = Frame::output_head(stream == Stream::Stderr, bytes.len());
        let mut sent = 0;
        if self.outbox.is_empty() {
            let parts = [IoSlice::new(&head), IoSlice::new(bytes)];
            match self.stream.write_vectored(&parts) {
                Ok(count) => sent = count,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
        self.outbox.extend(head.get(sent..).unwrap_or_default());
        self.outbox
            .extend(&bytes[sent.saturating_sub(head.len())..]);
        if self.is_full() {
            self.stalled.get_or_insert_with(Instant::now);
        }
    }

    /// Sends what the client takes.
    pub(super) fn flush(&mut self) {
        while !self.outbox.is_empty() {
            match self.stream.write(self.outbox.as_slices().0) {
                Ok(n) => {
                    self.outbox.drain(..n);
                    self.stalled = None;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if self.is_full() {
                        self.stalled.get_or_insert_with(Instant::now);
                    }
                    return;
                }
                Err(_) => {
                    self.gone = true;
                    self.outbox.clear();
                }
            }
        }
    }

    /// Whether something waits to be sent.
    pub(super) fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Whether it reads so slowly that its process must wait.
    pub(super) fn is_full(&self) -> bool {
        self.outbox.len() > OUTPUT_MAX
    }

    /// Whether the connection is over: closed, done, or stalled for too long.
    pub(super) fn is_over(&self) -> bool {
        let stalled = self.stalled.is_some_and(|since| since.elapsed() > PATIENCE);
        let done = self.mode == Mode::Leaving && self.outbox.is_empty();
        self.gone || stalled || done
    }
}

//! A connection to the shim: what it has sent, what waits to be sent to it.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use kernel::rights;

use super::way::Way;
use crate::logs::Stream;
use crate::runtime::handshake::{Frame, Framing, Streams};

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
    /// What it is for.
    pub(super) mode: Mode,
    way: Way,
    /// Where its output goes instead.
    outlet: Option<(Way, Framing)>,
    /// Came with a request that has not been read to its end.
    given: Option<OwnedFd>,
    inbox: Vec<u8>,
    stalled: Option<Instant>,
    gone: bool,
}

impl Client {
    /// A new connection.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        Ok(Self {
            mode: Mode::Asking,
            way: Way::over(OwnedFd::from(stream))?,
            outlet: None,
            given: None,
            inbox: Vec::new(),
            stalled: None,
            gone: false,
        })
    }

    /// The connection.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.way.as_fd()
    }

    /// Where output waits to go.
    pub(super) fn held_up(&self) -> Option<BorrowedFd<'_>> {
        let (outlet, _) = self.outlet.as_ref()?;
        (!outlet.is_empty()).then(|| outlet.as_fd())
    }

    /// Reads what there is and returns the whole frames.
    pub(super) fn read(&mut self) -> Vec<Frame> {
        let mut buffer = [0; 4 << 10];
        match rights::receive(self.way.as_fd(), &mut buffer) {
            Ok((0, _)) => self.gone = true,
            Ok((n, mut descriptors)) => {
                self.inbox.extend_from_slice(&buffer[..n]);
                self.given = descriptors.pop().or(self.given.take());
            }
            Err(e) if e.source.kind() == ErrorKind::WouldBlock => {}
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

    /// Sends its output from now on to the descriptor it has given, if it has.
    pub(super) fn open_outlet(&mut self, framing: Option<Framing>) {
        if let (Some(framing), Some(socket)) = (framing, self.given.take()) {
            match Way::over(socket) {
                Ok(way) => self.outlet = Some((way, framing)),
                Err(_) => self.gone = true,
            }
        }
    }

    /// Sends a frame, now or when the client reads.
    pub(super) fn send(&mut self, frame: &Frame) {
        self.way.push(&frame.encode());
        self.flush();
    }

    /// Sends output of a process.
    pub(super) fn send_output(&mut self, stream: Stream, bytes: &[u8]) {
        let is_error = stream == Stream::Stderr;
        let sent = match &mut self.outlet {
            Some((way, framing)) => way.send(&framing.head(is_error, bytes.len()), bytes),
            None => {
                let head = Frame::output_head(is_error, bytes.len());
                self.way.send(&head, bytes)
            }
        };
        self.gone |= sent.is_err();
        self.look_whether_stalled();
    }

    /// Sends what the client takes: the end of a process only behind the last of its output.
    pub(super) fn flush(&mut self) {
        let flushed = match &mut self.outlet {
            Some((way, _)) => way.flush().and_then(|moved| match way.is_empty() {
                true => self.way.flush().map(|also| moved || also),
                false => Ok(moved),
            }),
            None => self.way.flush(),
        };
        match flushed {
            Ok(true) => self.stalled = None,
            Ok(false) => {}
            Err(_) => self.gone = true,
        }
        self.look_whether_stalled();
    }

    fn look_whether_stalled(&mut self) {
        if self.is_full() {
            self.stalled.get_or_insert_with(Instant::now);
        }
    }

    /// Whether something waits to be sent over the connection itself.
    pub(super) fn has_output(&self) -> bool {
        !self.way.is_empty() && self.held_up().is_none()
    }

    /// Whether it reads so slowly that its process must wait.
    pub(super) fn is_full(&self) -> bool {
        let outlet = self.outlet.as_ref();
        self.way.is_full() || outlet.is_some_and(|(way, _)| way.is_full())
    }

    /// Whether the connection is over: closed, done, or stalled for too long.
    pub(super) fn is_over(&self) -> bool {
        let stalled = self.stalled.is_some_and(|since| since.elapsed() > PATIENCE);
        let sent = self.way.is_empty() && self.held_up().is_none();
        self.gone || stalled || (self.mode == Mode::Leaving && sent)
    }
}

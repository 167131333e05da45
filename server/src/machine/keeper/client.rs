//! Whoever shows a terminal: what was sent to them, what they have drawn, and one frame in flight.
//!
//! A client costs at most one frame of memory. The next frame is made only when the last one has
//! left, from the terminal's ring; a client that falls out of the ring gets the screen instead.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use kernel::poll::Interest;

use super::ring::Ring;
use super::terminal::{Terminal, WINDOW};
use super::wire::{Deframer, FromClient, FromKeeper, MAX_FROM_CLIENT, WireError, frame};

/// Output bytes in one frame: small enough that a notice or a key is never far behind.
const CHUNK: usize = 32 * 1024;
/// Notices that wait; older ones are worth less than newer ones.
const MAX_NOTICES: usize = 16;

/// A connection that opened a terminal.
pub(super) struct Client {
    stream: UnixStream,
    terminal: String,
    cutter: Deframer,
    notices: VecDeque<String>,
    flight: Vec<u8>,
    flown: usize,
    sent: Sent,
    /// The highest number this client was ever sent, and the highest it says to have drawn.
    highest: u64,
    drawn: u64,
}

#[derive(Clone, Copy)]
enum Sent {
    /// Up to this byte.
    Upto(u64),
    /// Up to this byte in an earlier connection: the first frame says so, be it empty.
    Resumed(u64),
    /// Nothing that helps: the screen goes first.
    Nothing,
}

/// The connection is over, with the reason when it is the client's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum Gone {
    /// The other side closed, or the socket broke.
    #[error("the client left")]
    Left,
    /// It sent what no honest client sends.
    #[error("the client broke the protocol: {0}")]
    Dishonest(#[from] WireError),
}

impl Client {
    /// A client of `terminal` that has drawn up to `resume`, if it ever drew.
    pub(super) fn new(
        stream: UnixStream,
        terminal: String,
        resume: Option<u64>,
        early: &[u8],
        ring: &Ring,
    ) -> Self {
        let resume = resume.filter(|seq| ring.covers(*seq));
        let mut cutter = Deframer::new(MAX_FROM_CLIENT);
        cutter.push(early);
        Self {
            stream,
            terminal,
            cutter,
            notices: VecDeque::new(),
            flight: Vec::new(),
            flown: 0,
            sent: resume.map_or(Sent::Nothing, Sent::Resumed),
            highest: resume.unwrap_or(ring.last()),
            drawn: resume.unwrap_or(ring.last()),
        }
    }

    pub(super) fn terminal(&self) -> &str {
        &self.terminal
    }

    /// The number of the last byte this client has drawn.
    pub(super) fn drawn(&self) -> u64 {
        self.drawn
    }

    /// What the socket is waited for; a client is not read while its terminal takes no input.
    pub(super) fn waits_for(&self, terminal: &Terminal) -> (BorrowedFd<'_>, Interest) {
        let wanted = match (terminal.accepts_input(), self.flight.is_empty()) {
            (true, true) => Interest::Read,
            (true, false) => Interest::ReadWrite,
            (false, true) => Interest::Hangup,
            (false, false) => Interest::Write,
        };
        (self.stream.as_fd(), wanted)
    }

    /// Says something as soon as possible.
    pub(super) fn notify(&mut self, notice: &str) {
        if self.notices.len() == MAX_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice.to_owned());
    }

    /// Somebody else changed the size: only a new screen tells this client.
    pub(super) fn needs_screen(&mut self) {
        self.sent = Sent::Nothing;
    }

    /// Reads once from the socket.
    pub(super) fn read(&mut self) -> Result<(), Gone> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Gone::Left),
            Ok(n) => {
                self.cutter.push(&buffer[..n]);
                Ok(())
            }
            Err(error) if is_passing(&error) => Ok(()),
            Err(_) => Err(Gone::Left),
        }
    }

    /// The next frame of those that were read.
    pub(super) fn next(&mut self) -> Result<Option<FromClient>, Gone> {
        match self.cutter.next()? {
            Some(message) => Ok(Some(FromClient::parse(&message)?)),
            None => Ok(None),
        }
    }

    /// Believes that the client has drawn up to `seq`, unless it was never sent that.
    pub(super) fn acknowledge(&mut self, seq: u64) {
        self.drawn = self.drawn.max(seq.min(self.highest));
    }

    /// Sends as much as the socket and the client's window take.
    pub(super) fn pump(&mut self, terminal: &Terminal) -> Result<(), Gone> {
        loop {
            if self.flight.is_empty() {
                let Some(next) = self.next_frame(terminal) else {
                    return Ok(());
                };
                self.flight = frame(&next.message());
                self.flown = 0;
            }
            match self.stream.write(&self.flight[self.flown..]) {
                Ok(n) => self.flown += n,
                Err(error) if is_passing(&error) => return Ok(()),
                Err(_) => return Err(Gone::Left),
            }
            if self.flown == self.flight.len() {
                self.flight = Vec::new();
            }
        }
    }

    fn next_frame(&mut self, terminal: &Terminal) -> Option<FromKeeper> {
        match self.sent {
            Sent::Resumed(sent) if terminal.ring().covers(sent) => {
                let bytes = terminal.ring().after(sent, CHUNK)?;
                Some(self.output(sent, bytes))
            }
            Sent::Upto(sent) if terminal.ring().covers(sent) => {
                if let Some(notice) = self.notices.pop_front() {
                    return Some(FromKeeper::Notice(notice));
                }
                self.next_output(sent, terminal.ring())
            }
            // One screen at a time: another one helps nobody who has not drawn the last.
            _ if self.drawn < self.highest => None,
            _ => Some(self.next_screen(terminal)),
        }
    }

    fn next_output(&mut self, sent: u64, ring: &Ring) -> Option<FromKeeper> {
        let room = WINDOW.saturating_sub(sent.saturating_sub(self.drawn));
        let room = usize::try_from(room).unwrap_or(CHUNK);
        let bytes = ring.after(sent, CHUNK.min(room))?;
        (!bytes.is_empty()).then(|| self.output(sent, bytes))
    }

    fn output(&mut self, sent: u64, bytes: Vec<u8>) -> FromKeeper {
        self.highest = sent + bytes.len() as u64;
        self.sent = Sent::Upto(self.highest);
        FromKeeper::Output {
            seq: sent + 1,
            bytes,
        }
    }

    fn next_screen(&mut self, terminal: &Terminal) -> FromKeeper {
        let (seq, screen) = (terminal.ring().last(), terminal.screen());
        self.highest = seq;
        self.sent = Sent::Upto(seq);
        FromKeeper::Screen {
            seq,
            cols: screen.size().cols(),
            rows: screen.size().rows(),
            bytes: screen.redraw(),
        }
    }
}

fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

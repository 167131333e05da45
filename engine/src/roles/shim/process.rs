//! A process of the container as the shim keeps it: its pidfd, its streams, how it ended.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use jiff::Timestamp;
use kernel::error::SysError;
use kernel::process::{self, Exit, Patience, Signal};
use kernel::pty;

use super::start;
use crate::logs::Stream;
use crate::roles::birth::{self, Born};
use crate::roles::voice::Ear;
use crate::runtime::handshake::{FromInit, Phase, Refusal, Started};
use crate::runtime::request::{Stdin, TerminalSize};

/// The shim's ends of a process's streams; a terminal is `input` and `output` at once.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// What it reads.
    pub(super) input: Option<File>,
    /// What it prints.
    pub(super) output: Option<File>,
    /// What it complains on.
    pub(super) error: Option<File>,
}

/// More than this waiting for a process that does not read stops the reading from its clients.
pub(super) const INPUT_MAX: usize = 256 << 10;

/// A process of the container.
#[derive(Debug)]
pub(super) struct Process {
    pidfd: OwnedFd,
    /// Its pid in the learner's machine.
    pub(super) pid: u32,
    /// Its pid in the engine's stage.
    pub(super) engine_pid: u32,
    ear: Option<Ear>,
    /// Our ends of its streams.
    pub(super) ends: Ends,
    terminal: Option<OwnedFd>,
    stdin: Stdin,
    pending: Vec<u8>,
    closing: bool,
    started: Option<Timestamp>,
    ended: Option<(i32, Timestamp)>,
}

impl Process {
    /// Keeps a process that has just been made.
    pub(super) fn new(born: Born, mut ends: Ends, stdin: Stdin) -> Result<Self, SysError> {
        let clone = |fd: &OwnedFd| fd.try_clone().map_err(|e| SysError::io("dup", e));
        if let Some(master) = &born.master {
            ends.input = Some(start::ours(clone(master)?)?);
            ends.output = Some(start::ours(clone(master)?)?);
        }
        Ok(Self {
            pidfd: born.pidfd,
            pid: born.pid,
            engine_pid: born.engine_pid,
            ear: Some(born.ear),
            ends,
            terminal: born.master,
            stdin,
            pending: Vec::new(),
            closing: false,
            started: None,
            ended: None,
        })
    }

    /// Readable when it has ended.
    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Lets it be executed, and waits until it is.
    pub(super) fn start(&mut self) -> Result<Started, Refusal> {
        let Some(ear) = self.ear.take() else {
            return Err(Refusal::conflict("the container has been started already"));
        };
        let failed = |e: SysError| Refusal::failed("the container's process cannot be heard", &e);
        ear.go().map_err(failed)?;
        // Its end of the socket is closed by execve: silence is success.
        if let Some((FromInit::Failed(refusal), _)) = ear.listen().map_err(failed)? {
            return Err(refusal);
        }
        let at = Timestamp::now();
        self.started = Some(at);
        Ok(Started {
            pid: self.pid,
            engine_pid: self.engine_pid,
            at,
        })
    }

    /// When it was executed.
    pub(super) fn started(&self) -> Option<Timestamp> {
        self.started
    }

    /// How and when it ended, if it has.
    pub(super) fn ended(&self) -> Option<(i32, Timestamp)> {
        self.ended
    }

    /// Where it is in its life, but for how it ended.
    pub(super) fn phase(&self) -> Phase {
        match self.started {
            Some(since) => Phase::Running { since },
            None => Phase::Created,
        }
    }

    /// Collects it if it has ended.
    pub(super) fn collect(&mut self, patience: Patience) {
        if self.ended.is_some() {
            return;
        }
        let code = match process::wait(self.pidfd.as_fd(), patience) {
            Ok(None) => return,
            Ok(Some(exit)) => exit.shell_code(),
            // Somebody else has collected it: it is gone, and how is lost.
            Err(_) => Exit::Signal(Signal::KILL).shell_code(),
        };
        self.ended = Some((code, Timestamp::now()));
        self.ear = None;
        self.ends.input = None;
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), SysError> {
        process::pidfd_send_signal(self.pidfd.as_fd(), signal)
    }

    /// Ends it for good.
    pub(super) fn kill(&self) {
        birth::end(&self.pidfd);
    }

    /// Changes the size of its terminal, if it has one.
    pub(super) fn resize(&self, size: TerminalSize) -> Result<(), SysError> {
        let Some(terminal) = &self.terminal else {
            return Ok(());
        };
        let size = pty::WindowSize {
            cols: size.cols,
            rows: size.rows,
        };
        pty::set_window_size(terminal.as_fd(), size)
    }

    /// Reads what there is of a stream: bytes, or nothing; a stream that ended is closed.
    pub(super) fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> Option<usize> {
        let end = match stream {
            Stream::Stdout => &mut self.ends.output,
            Stream::Stderr => &mut self.ends.error,
        };
        match end.as_mut()?.read(buffer) {
            Ok(n @ 1..) => Some(n),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            // The end of a pipe; EIO is the end of a terminal. Nobody may open it again before
            // the program is executed: until then a terminal without a slave is no end.
            Ok(_) | Err(_) => {
                if self.started.is_some() || self.ended.is_some() {
                    *end = None;
                }
                None
            }
        }
    }

    /// Takes input for it.
    pub(super) fn push_input(&mut self, bytes: &[u8]) {
        if self.ends.input.is_some() && !self.closing {
            self.pending.extend_from_slice(bytes);
            self.flush_input();
        }
    }

    /// Whether its clients may send more.
    pub(super) fn takes_input(&self) -> bool {
        self.pending.len() < INPUT_MAX
    }

    /// Whether input waits for it to read.
    pub(super) fn has_input(&self) -> bool {
        !self.pending.is_empty() && self.ends.input.is_some()
    }

    /// Writes what it can take.
    pub(super) fn flush_input(&mut self) {
        while let (Some(input), false) = (&mut self.ends.input, self.pending.is_empty()) {
            match input.write(&self.pending) {
                Ok(n) => drop(self.pending.drain(..n)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.ends.input = None;
                    self.pending.clear();
                }
            }
        }
        if self.closing && self.pending.is_empty() && self.terminal.is_none() {
            self.ends.input = None;
        }
    }

    /// Its input has ended: a pipe is closed when all is written; a terminal has no end.
    pub(super) fn close_input(&mut self) {
        if self.terminal.is_none() {
            self.closing = true;
            self.flush_input();
        }
    }

    /// The client that fed its input is gone.
    pub(super) fn feeder_left(&mut self) {
        if self.stdin == Stdin::Once {
            self.close_input();
        }
    }
}

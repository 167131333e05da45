//! One terminal: a pty with its shell, the screen it draws, and its last output by number.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use kernel::poll::Interest;
use kernel::pty;
use web::messages::say;

use super::household::{Household, Shell};
use super::ring::{self, Ring};
use super::screen::{Screen, Size};

/// Output that may be drawn by nobody yet; beyond it the pty is not read.
pub(super) const WINDOW: u64 = 256 * 1024;
/// Input that the shell has not read yet; beyond it clients are not read.
const MAX_INPUT: usize = 64 * 1024;
/// Input unread by the shell that may hide an interrupt; the line discipline holds 4096 bytes.
const STUCK_INPUT: usize = 2048;
/// Output read in one turn of the loop, so that one loud terminal does not silence the others.
const TURN: usize = 64 * 1024;
/// While nobody looks, a turn is at most this often: a forgotten `yes` must not cost a core.
const UNWATCHED_PAUSE: Duration = Duration::from_millis(20);
/// A pty that no program holds reports so without pause: it is looked at this often.
const HUNG_UP_PAUSE: Duration = Duration::from_millis(100);
/// A shell that ends sooner, with nothing typed, died at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Deaths at once after which we say so and wait for a key.
const PATIENCE: u32 = 3;

/// Who watches a terminal, as far as the flow of its output is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Nobody: output goes to the screen and the ring, slowly.
    Nobody,
    /// The fastest client has drawn up to this byte.
    Drawn(u64),
}

/// A terminal with whatever lives in it at the moment.
pub(super) struct Terminal {
    name: String,
    screen: Screen,
    ring: Ring,
    input: VecDeque<u8>,
    life: Life,
    /// Consecutive deaths at once, and refusals to start.
    failures: u32,
    quiet_until: Instant,
}

enum Life {
    Running {
        master: File,
        pidfd: OwnedFd,
        since: Instant,
        typed: Typed,
    },
    /// No shell; one is started at this moment.
    Starting(Instant),
    /// No shell; one is started when a client types or comes.
    Impossible,
}

/// What one read of the pty gave.
enum Read {
    Some(usize),
    NothingYet,
    /// No program holds the terminal; the pidfd tells whether the shell is gone too.
    HungUp,
}

#[derive(PartialEq, Eq)]
enum Typed {
    Nothing,
    Something,
}

impl Terminal {
    /// A terminal whose shell starts at the next [`Terminal::tend`].
    pub(super) fn new(name: String, size: Size) -> Self {
        // Numbers go on growing over a restart of the keeper: a client that resumes from an older
        // life finds its number forgotten, never reused.
        let origin = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |d| d.as_nanos() as u64);
        let now = Instant::now();
        Self {
            name,
            screen: Screen::new(size),
            ring: Ring::new(ring::CAPACITY, origin),
            input: VecDeque::new(),
            life: Life::Starting(now),
            failures: 0,
            quiet_until: now,
        }
    }

    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// The pty and what it is waited for, if there is one.
    pub(super) fn master(
        &self,
        audience: Audience,
        now: Instant,
    ) -> Option<(BorrowedFd<'_>, Interest)> {
        let Life::Running { master, .. } = &self.life else {
            return None;
        };
        if now < self.quiet_until {
            return None;
        }
        let wanted = match (self.may_read(audience), self.input.is_empty()) {
            (true, true) => Interest::Read,
            (true, false) => Interest::ReadWrite,
            (false, false) => Interest::Write,
            // Not even hang-ups: poll(2) would report them without pause until we read.
            (false, true) => return None,
        };
        Some((master.as_fd(), wanted))
    }

    /// The shell's pidfd, if there is a shell.
    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        match &self.life {
            Life::Running { pidfd, .. } => Some(pidfd.as_fd()),
            _ => None,
        }
    }

    /// When this terminal wants a turn although nothing happens.
    pub(super) fn wakes_at(&self, now: Instant) -> Option<Instant> {
        match &self.life {
            Life::Starting(at) => Some(*at),
            Life::Running { .. } if self.quiet_until > now => Some(self.quiet_until),
            _ => None,
        }
    }

    /// Whether clients may send more input.
    pub(super) fn accepts_input(&self) -> bool {
        self.input.len() < MAX_INPUT
    }

    /// Starts a shell if it is time to; gives the notices to send.
    pub(super) fn tend(&mut self, now: Instant, household: &mut dyn Household) -> Vec<String> {
        match self.life {
            Life::Starting(at) if at <= now => {}
            _ => return Vec::new(),
        }
        match self.start(now, household) {
            Ok(()) if self.failures > 0 => vec![notice("restarted")],
            Ok(()) => Vec::new(),
            Err(why) => self.start_refused(now, &why),
        }
    }

    /// Somebody came or typed: an impossible shell is worth another try.
    pub(super) fn encourage(&mut self, now: Instant) {
        if matches!(self.life, Life::Impossible) {
            self.failures = 0;
            self.life = Life::Starting(now);
        }
    }

    /// Reads what the shell printed; the answers of the terminal itself become input.
    pub(super) fn read_output(&mut self, audience: Audience, now: Instant) {
        if !self.may_read(audience) {
            return;
        }
        let mut turn = 0;
        while turn < TURN {
            match self.read_once() {
                Read::Some(n) => turn += n,
                Read::NothingYet => break,
                Read::HungUp => {
                    self.quiet_until = now + HUNG_UP_PAUSE;
                    return;
                }
            }
        }
        if audience == Audience::Nobody {
            self.quiet_until = now + UNWATCHED_PAUSE;
        }
    }

    /// Queues what a client typed, and writes what the pty takes.
    pub(super) fn type_in(&mut self, bytes: &[u8]) {
        if let Life::Running { typed, .. } = &mut self.life {
            *typed = Typed::Something;
        }
        self.input.extend(bytes);
        self.flush_input();
        self.interrupt_if_stuck(bytes);
    }

    /// Writes what the pty takes of the queued input.
    pub(super) fn flush_input(&mut self) {
        let Life::Running { master, .. } = &mut self.life else {
            return;
        };
        while !self.input.is_empty() {
            match master.write(self.input.as_slices().0) {
                Ok(n) if n > 0 => drop(self.input.drain(..n)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
    }

    /// Gives screen and pty another size.
    pub(super) fn resize(&mut self, size: Size) {
        if size == self.screen.size() {
            return;
        }
        self.screen.resize(size);
        if let Life::Running { master, .. } = &self.life
            && let Err(error) = pty::set_window_size(master.as_fd(), size.window())
        {
            tracing::warn!(terminal = self.name, %error, "the window keeps its size");
        }
    }

    /// The shell's process is gone: takes its last words, and decides when the next one starts.
    pub(super) fn shell_ended(&mut self, now: Instant) -> Vec<String> {
        for _ in 0..WINDOW / 4096 {
            if !matches!(self.read_once(), Read::Some(_)) {
                break;
            }
        }
        let Life::Running { since, typed, .. } =
            std::mem::replace(&mut self.life, Life::Starting(now))
        else {
            return Vec::new();
        };
        self.input.clear();
        let tidy = self.screen.tidy();
        self.emit(&tidy);
        if now - since >= AT_ONCE || typed == Typed::Something {
            self.failures = 1;
            return vec![notice("ended")];
        }
        let mut notices = vec![notice("ended")];
        notices.extend(self.died_at_once(now));
        notices
    }

    fn start(&mut self, now: Instant, household: &mut dyn Household) -> Result<(), String> {
        let size = self.screen.size();
        let Shell { master, pidfd } = household
            .open_shell(&self.name, size)
            .map_err(|error| error.to_string())?;
        kernel::poll::set_nonblocking(master.as_fd()).map_err(|error| error.to_string())?;
        self.life = Life::Running {
            master: File::from(master),
            pidfd,
            since: now,
            typed: Typed::Nothing,
        };
        Ok(())
    }

    fn died_at_once(&mut self, now: Instant) -> Option<String> {
        self.failures += 1;
        if self.failures < PATIENCE {
            self.life = Life::Starting(now + self.delay());
            return None;
        }
        self.life = Life::Impossible;
        Some(impossible(&say("machine.no-shell.ends", &[])))
    }

    /// Tries again for ever, because the machine below may come back; says so once.
    fn start_refused(&mut self, now: Instant, why: &str) -> Vec<String> {
        tracing::warn!(terminal = self.name, why, "no shell");
        self.failures = self.failures.saturating_add(1);
        self.life = Life::Starting(now + self.delay());
        if self.failures == PATIENCE {
            vec![impossible(why)]
        } else {
            Vec::new()
        }
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(100) * 4_u32.pow(self.failures.min(3))
    }

    fn may_read(&self, audience: Audience) -> bool {
        match audience {
            Audience::Nobody => true,
            // While clients are not read, their acknowledgements wait behind their input: then the
            // shell, which may read no input before it has printed, must not wait for them.
            Audience::Drawn(seq) => {
                self.ring.last().saturating_sub(seq) < WINDOW || !self.accepts_input()
            }
        }
    }

    fn read_once(&mut self) -> Read {
        let Life::Running { master, .. } = &mut self.life else {
            return Read::NothingYet;
        };
        let mut buffer = [0; 16 * 1024];
        loop {
            match master.read(&mut buffer) {
                Ok(0) => return Read::HungUp,
                Ok(n) => {
                    self.emit(&buffer[..n]);
                    return Read::Some(n);
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => return Read::NothingYet,
                    // EIO: nobody holds the slave.
                    _ => return Read::HungUp,
                },
            }
        }
    }

    fn emit(&mut self, bytes: &[u8]) {
        let answers = self.screen.draw(bytes);
        self.ring.push(bytes);
        if !answers.is_empty() && self.accepts_input() {
            self.input.extend(answers);
            self.flush_input();
        }
    }

    /// Ctrl-C must pass although the program does not read what was typed before it.
    ///
    /// The line discipline looks at a byte only when its buffer has room for it, so behind a long
    /// paste the interrupt byte is neither a signal nor read.
    fn interrupt_if_stuck(&mut self, bytes: &[u8]) {
        let Life::Running { master, .. } = &self.life else {
            return;
        };
        let byte = pty::interrupt_byte(master.as_fd()).ok().flatten();
        if !byte.is_some_and(|byte| bytes.contains(&byte)) {
            return;
        }
        let unread = pty::unread_input(master.as_fd()).unwrap_or(0);
        if self.input.is_empty() && unread < STUCK_INPUT {
            return;
        }
        if let Err(error) = pty::interrupt(master.as_fd()) {
            tracing::warn!(terminal = self.name, %error, "cannot interrupt");
        }
        self.input.clear();
    }
}

fn impossible(why: &str) -> String {
    serde_json::json!({ "shell": "impossible", "why": why }).to_string()
}

fn notice(shell: &str) -> String {
    serde_json::json!({ "shell": shell }).to_string()
}

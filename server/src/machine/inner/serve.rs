//! PID 1 at work: answers the keeper, reaps, and ends when the machine is switched off.

use std::collections::HashMap;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use kernel::error::SysError;
use kernel::fs::Access;
use kernel::poll::{self, Interest};
use kernel::process::{self, Patience, Signal};
use kernel::pty::WindowSize;
use kernel::signal::Inbox;

use super::confine::{self, ConfineError};
use super::shell::{self, ShellError};
use super::wire::{FromInit, FromKeeper};
use crate::machine::channel::Channel;
use crate::machine::stage::story;

/// How PID 1 ends, which the keeper reads from its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// `poweroff` in the machine sends SIGUSR2.
    PowerOff,
    /// `reboot` sends SIGTERM.
    Reboot,
}

impl Ending {
    const POWER_OFF: u8 = 10;
    const REBOOT: u8 = 11;

    fn code(self) -> u8 {
        match self {
            Self::PowerOff => Self::POWER_OFF,
            Self::Reboot => Self::REBOOT,
        }
    }

    /// What an exit code of PID 1 means; anything else was a failure.
    pub(crate) fn of(code: i32) -> Option<Self> {
        match u8::try_from(code).ok()? {
            Self::POWER_OFF => Some(Self::PowerOff),
            Self::REBOOT => Some(Self::Reboot),
            _ => None,
        }
    }
}

/// Why PID 1 gives up.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error("the learner's programs cannot be confined")]
    Confine(#[from] ConfineError),
}

/// Serves until the machine ends.
pub(super) fn run(channel: &Channel) -> ExitCode {
    let done = Init::new().and_then(|mut init| init.serve(channel));
    match done {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(error) => {
            eprintln!("machine-init: {}", story(&error));
            ExitCode::FAILURE
        }
    }
}

struct Init {
    signals: Inbox,
    terminals: OwnedFd,
    /// Who waits for the exit code of a program.
    waiting: HashMap<i32, OwnedFd>,
}

impl Init {
    fn new() -> Result<Self, InitError> {
        let signals = Inbox::open(&[
            Signal::CHLD,
            Signal::TERM,
            Signal::INT,
            Signal::HUP,
            Signal::USR1,
            Signal::USR2,
        ])?;
        let terminals = kernel::fs::open(Path::new("/dev/pts"), Access::Directory)?;
        confine::confine()?;
        Ok(Self {
            signals,
            terminals,
            waiting: HashMap::new(),
        })
    }

    fn serve(&mut self, channel: &Channel) -> Result<Ending, InitError> {
        loop {
            let set = [
                (channel.as_fd(), Interest::Read),
                (self.signals.as_fd(), Interest::Read),
            ];
            let ready = poll::wait(&set, None)?;
            while let Some(signal) = self.signals.next()? {
                match signal {
                    Signal::USR2 => return Ok(Ending::PowerOff),
                    Signal::TERM => return Ok(Ending::Reboot),
                    _ => {}
                }
            }
            self.reap()?;
            if !ready[0].any() {
                continue;
            }
            match channel.receive() {
                Ok(request) => self.obey(channel, request),
                // Without a keeper nobody can reach this machine.
                Err(_) => return Ok(Ending::PowerOff),
            }
        }
    }

    fn reap(&mut self) -> Result<(), SysError> {
        while let Some((pid, exit)) = process::reap(Patience::Poll)? {
            if let Some(pipe) = self.waiting.remove(&pid) {
                // Who asked may have gone.
                let _ = writeln!(std::fs::File::from(pipe), "{}", exit.shell_code());
            }
        }
        Ok(())
    }

    fn obey(&mut self, channel: &Channel, request: FromKeeper) {
        let answered = match request {
            FromKeeper::Go | FromKeeper::Build { .. } => return,
            FromKeeper::Terminal { cols, rows } => {
                self.terminal(channel, WindowSize { cols, rows })
            }
            FromKeeper::Run { argv } => self.program(channel, &argv),
        };
        if let Err(error) = answered {
            let _ = channel.send(&FromInit::Failed {
                why: story(&error),
                errno: error.errno(),
            });
        }
    }

    fn terminal(&mut self, channel: &Channel, size: WindowSize) -> Result<(), ShellError> {
        let terminal = shell::on_terminal(self.terminals.as_fd(), size)?;
        let descriptors = [terminal.master.as_fd(), terminal.child.pidfd.as_fd()];
        opened(channel, &descriptors);
        Ok(())
    }

    fn program(&mut self, channel: &Channel, argv: &[String]) -> Result<(), ShellError> {
        let (exit, tell) = process::pipe()?;
        let piped = shell::piped(argv)?;
        self.waiting.insert(piped.child.pid, tell);
        opened(
            channel,
            &[piped.input.as_fd(), piped.output.as_fd(), exit.as_fd()],
        );
        Ok(())
    }
}

fn opened(channel: &Channel, descriptors: &[BorrowedFd<'_>]) {
    // A keeper that does not take it is gone, which the next wait finds out.
    if let Err(error) = channel.send_with(&FromInit::Opened, descriptors) {
        eprintln!("machine-init: {}", story(&error));
    }
}

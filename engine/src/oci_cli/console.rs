//! Staying with a process in the foreground: its signals, its terminal, its end.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use kernel::error::SysError;
use kernel::poll::{self, Interest};
use kernel::process::{self, Exit, Patience, Signal};
use kernel::pty;
use kernel::signal::Inbox;
use kernel::termios::RawMode;

use super::error::CliError;
use crate::roles::bundle::Prepared;

/// The window of a terminal has another size.
const WINCH: Signal = Signal(28);

/// Passes signals and keys on until the process ends; the code a shell would report.
pub(super) fn stay_with(process: &Prepared) -> Result<i32, CliError> {
    let failed = |source| CliError::Kernel {
        what: "cannot stay with the container's process",
        source,
    };
    // Those that the kernel sends to a process about itself stay as they are.
    let own = [4, 5, 7, 8, 9, 11, 19, 31];
    let all: Vec<_> = (1..=64).filter(|n| !own.contains(n)).map(Signal).collect();
    let inbox = Inbox::open(&all).map_err(failed)?;
    let exit = match &process.master {
        None => wait(process, &inbox).map_err(failed)?,
        Some(master) => relay(process, &inbox, master).map_err(failed)?,
    };
    Ok(exit.shell_code())
}

fn wait(child: &Prepared, inbox: &Inbox) -> Result<Exit, SysError> {
    loop {
        if let Some(exit) = process::wait(child.pidfd.as_fd(), Patience::Poll)? {
            return Ok(exit);
        }
        poll::wait(
            &[
                (child.pidfd.as_fd(), Interest::Read),
                (inbox.as_fd(), Interest::Read),
            ],
            None,
        )?;
        forward(child, inbox)?;
    }
}

fn forward(child: &Prepared, inbox: &Inbox) -> Result<(), SysError> {
    while let Some(signal) = inbox.next()? {
        if signal != Signal::CHLD && signal != WINCH {
            // It may have ended meanwhile.
            let _ = process::pidfd_send_signal(child.pidfd.as_fd(), signal);
        }
    }
    Ok(())
}

/// Carries bytes between our own terminal, or whatever stands there, and the container's.
fn relay(child: &Prepared, inbox: &Inbox, master: &OwnedFd) -> Result<Exit, SysError> {
    let dup = |fd: &OwnedFd| fd.try_clone().map_err(|e| SysError::io("dup", e));
    let stdin = io::stdin();
    let ours = stdin.as_fd().try_clone_to_owned();
    let ours = ours.map_err(|e| SysError::io("dup", e))?;
    let raw = if stdin.is_terminal() {
        resize(&ours, master);
        Some(RawMode::enter(dup(&ours)?)?)
    } else {
        None
    };
    let mut input = Some(File::from(dup(&ours)?));
    let mut terminal = File::from(dup(master)?);
    let mut buffer = vec![0; 32 << 10];
    let mut exit = None;
    loop {
        let mut set = vec![
            (terminal.as_fd(), Interest::Read),
            (inbox.as_fd(), Interest::Read),
        ];
        let places = (exit.is_none(), input.is_some() && exit.is_none());
        if places.0 {
            set.push((child.pidfd.as_fd(), Interest::Read));
        }
        if let (Some(input), true) = (&input, places.1) {
            set.push((input.as_fd(), Interest::Read));
        }
        let ready = poll::wait(&set, None)?;
        drop(set);
        if ready[0].any() {
            match terminal.read(&mut buffer) {
                Ok(n @ 1..) => print(&buffer[..n]),
                // The last program that had the terminal open is gone.
                Ok(0) | Err(_) => break,
            }
        }
        while let Some(signal) = inbox.next()? {
            match signal {
                Signal::CHLD => {}
                WINCH => resize(&ours, master),
                signal => drop(process::pidfd_send_signal(child.pidfd.as_fd(), signal)),
            }
        }
        if exit.is_none() {
            exit = process::wait(child.pidfd.as_fd(), Patience::Poll)?;
        }
        if places.1
            && ready.last().is_some_and(|ready| ready.any())
            && let Some(source) = &mut input
        {
            match source.read(&mut buffer) {
                Ok(n @ 1..) => terminal
                    .write_all(&buffer[..n])
                    .map_err(|e| SysError::io("write", e).on("the terminal"))?,
                Ok(0) | Err(_) => input = None,
            }
        }
    }
    drop(raw);
    match exit {
        Some(exit) => Ok(exit),
        None => wait(child, inbox),
    }
}

fn resize(ours: &OwnedFd, master: &OwnedFd) {
    // A terminal of an odd kind has no size: the container's keeps its own.
    if let Ok(size) = pty::window_size(ours.as_fd()) {
        let _ = pty::set_window_size(master.as_fd(), size);
    }
}

fn print(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    // A reader that has gone away does not end the container.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

//! Naming, signalling and collecting processes.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::error::SysError;

/// Opens a descriptor that names a process; see pidfd_open(2).
pub fn pidfd_open(pid: i32) -> Result<OwnedFd, SysError> {
    // SAFETY: pidfd_open(2) takes its arguments by value.
    let ret = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    SysError::check("pidfd_open", ret).map_err(|e| e.on(pid.to_string()))?;
    let fd = RawFd::try_from(ret).expect("a descriptor fits in an int");
    // SAFETY: the call above succeeded, so `fd` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A signal's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(pub i32);

impl Signal {
    /// Ends the process; cannot be caught.
    pub const KILL: Self = Self(libc::SIGKILL);
    /// Asks the process to end.
    pub const TERM: Self = Self(libc::SIGTERM);
    /// A child changed state.
    pub const CHLD: Self = Self(libc::SIGCHLD);
    /// The terminal went away.
    pub const HUP: Self = Self(libc::SIGHUP);
    /// Ctrl-C.
    pub const INT: Self = Self(libc::SIGINT);
    /// Ours to define.
    pub const USR1: Self = Self(libc::SIGUSR1);
    /// Ours to define.
    pub const USR2: Self = Self(libc::SIGUSR2);
}

/// Sends a signal to the process that `pidfd` names; see pidfd_send_signal(2).
pub fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> Result<(), SysError> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the null siginfo is allowed and means "as kill(2) would"; the rest goes by value.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal.0,
            none,
            0,
        )
    };
    SysError::check("pidfd_send_signal", ret)
}

/// Sends a signal by number; prefer a pidfd, whose process cannot be replaced by another.
pub fn kill(pid: i32, signal: Signal) -> Result<(), SysError> {
    // SAFETY: kill(2) takes its arguments by value.
    let ret = unsafe { libc::kill(pid, signal.0) };
    SysError::check("kill", ret.into()).map_err(|e| e.on(pid.to_string()))
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(Signal),
}

impl Exit {
    /// The code a shell reports: 128 + the signal's number for a killed process.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal.0,
        }
    }
}

/// Whether to sleep until there is something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Sleep.
    Wait,
    /// Return at once.
    Poll,
}

/// Reaps the child that `pidfd` names; `None` when it still runs (only with [`Patience::Poll`]).
pub fn wait(pidfd: BorrowedFd<'_>, patience: Patience) -> Result<Option<Exit>, SysError> {
    let id = libc::id_t::try_from(pidfd.as_raw_fd()).expect("an open descriptor is not negative");
    Ok(waitid(libc::P_PIDFD, id, patience)?.map(|(_, exit)| exit))
}

/// Reaps any child; `None` when none has ended or there is no child.
pub fn reap(patience: Patience) -> Result<Option<(i32, Exit)>, SysError> {
    match waitid(libc::P_ALL, 0, patience) {
        Err(e) if e.source.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        other => other,
    }
}

fn waitid(
    kind: libc::idtype_t,
    id: libc::id_t,
    patience: Patience,
) -> Result<Option<(i32, Exit)>, SysError> {
    let mut options = libc::WEXITED;
    if patience == Patience::Poll {
        options |= libc::WNOHANG;
    }
    loop {
        // SAFETY: all-zero bytes are a valid `siginfo_t`.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: waitid(2) writes one `siginfo_t` through the pointer to a live local.
        let ret = unsafe { libc::waitid(kind, id, &raw mut info, options) };
        if ret < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted {
            continue;
        }
        SysError::check("waitid", ret.into())?;
        // SAFETY: waitid filled the SIGCHLD fields, or left the zeroes put there above.
        let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
        if pid == 0 {
            return Ok(None);
        }
        let exit = if info.si_code == libc::CLD_EXITED {
            Exit::Code(status)
        } else {
            Exit::Signal(Signal(status))
        };
        return Ok(Some((pid, exit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_by_a_signal_is_reported_as_a_shell_does() {
        assert_eq!(Exit::Signal(Signal::KILL).shell_code(), 137);
        assert_eq!(Exit::Code(3).shell_code(), 3);
    }
}

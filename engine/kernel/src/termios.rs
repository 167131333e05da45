//! Our own terminal: raw mode, undone when its guard is dropped; see termios(3).

use std::io;
use std::os::fd::OwnedFd;

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::error::SysError;

/// A terminal that passes every key on; its former modes come back when this is dropped.
#[derive(Debug)]
pub struct RawMode {
    terminal: OwnedFd,
    former: Termios,
}

impl RawMode {
    /// Makes `terminal` raw.
    pub fn enter(terminal: OwnedFd) -> Result<Self, SysError> {
        let former = tcgetattr(&terminal).map_err(|errno| failed("tcgetattr", errno))?;
        let mut raw = former.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&terminal, SetArg::TCSANOW, &raw).map_err(|errno| failed("tcsetattr", errno))?;
        Ok(Self { terminal, former })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.former);
    }
}

fn failed(call: &'static str, errno: nix::errno::Errno) -> SysError {
    SysError {
        call,
        object: None,
        source: io::Error::from_raw_os_error(errno as i32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pty::{self, WindowSize};
    use nix::sys::termios::LocalFlags;

    #[test]
    fn the_former_modes_come_back() {
        let pair = pty::open(WindowSize { cols: 80, rows: 24 }).unwrap();
        let echoes = |fd: &OwnedFd| {
            let modes = tcgetattr(fd).unwrap();
            modes.local_flags.contains(LocalFlags::ECHO)
        };
        assert!(echoes(&pair.slave));
        let raw = RawMode::enter(pair.slave.try_clone().unwrap()).unwrap();
        assert!(!echoes(&pair.slave));
        drop(raw);
        assert!(echoes(&pair.slave));
    }
}

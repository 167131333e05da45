//! Waiting for descriptors; see poll(2).

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use crate::error::SysError;

/// What one descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read, a connection to accept, or a child that ended (on a pidfd).
    Read,
    /// Room to write.
    Write,
    /// Either.
    ReadWrite,
    /// Only errors and hang-ups, which are always reported.
    Hangup,
}

/// What became true of one descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A read would not block; it may report the end.
    pub readable: bool,
    /// A write would not block.
    pub writable: bool,
    /// The other side is gone, or the descriptor is broken.
    pub hangup: bool,
}

impl Ready {
    /// Whether anything happened at all.
    pub fn any(self) -> bool {
        self.readable || self.writable || self.hangup
    }
}

/// Waits until one of `set` is ready or `timeout` has passed; `None` waits for ever.
///
/// The answer has one entry for each entry of `set`, in order. A signal ends the wait early with
/// nothing ready.
pub fn wait(
    set: &[(BorrowedFd<'_>, Interest)],
    timeout: Option<Duration>,
) -> Result<Vec<Ready>, SysError> {
    let mut polled: Vec<libc::pollfd> = set
        .iter()
        .map(|(fd, interest)| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: match interest {
                Interest::Read => libc::POLLIN,
                Interest::Write => libc::POLLOUT,
                Interest::ReadWrite => libc::POLLIN | libc::POLLOUT,
                Interest::Hangup => 0,
            },
            revents: 0,
        })
        .collect();
    // Rounded up: a wait of 0.4 ms must not become a busy loop.
    let timeout = timeout.map_or(-1, |wait| {
        libc::c_int::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX)
    });
    // SAFETY: the pointer and the length describe one live vector of `pollfd`; its descriptors
    // are borrowed by `set` for the whole call.
    let ret = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout) };
    if ret < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted {
        return Ok(vec![Ready::default(); set.len()]);
    }
    SysError::check("poll", ret.into())?;
    let ready = |p: &libc::pollfd| Ready {
        readable: p.revents & libc::POLLIN != 0,
        writable: p.revents & libc::POLLOUT != 0,
        hangup: p.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0,
    };
    Ok(polled.iter().map(ready).collect())
}

/// Makes reads and writes on `fd` return at once; see fcntl(2), `O_NONBLOCK`.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<(), SysError> {
    // SAFETY: F_GETFL takes no argument and touches no memory of ours.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    SysError::check("fcntl F_GETFL", flags.into())?;
    // SAFETY: F_SETFL takes its flags by value.
    let ret = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) };
    SysError::check("fcntl F_SETFL", ret.into())
}

/// How much was written to a socket and has not been read by its other end (unix(7)), or not been received by the
/// other host (tcp(7)); in bytes of the kernel's memory, so that only zero has a meaning. See `SIOCOUTQ`.
pub fn unread_output(socket: BorrowedFd<'_>) -> Result<usize, SysError> {
    let mut unread: libc::c_int = 0;
    // SAFETY: TIOCOUTQ, which is SIOCOUTQ's number, writes one int through the pointer, which a live local provides.
    let ret = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut unread) };
    SysError::check("ioctl SIOCOUTQ", ret.into())?;
    Ok(usize::try_from(unread).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_pair_is_writable_and_becomes_readable() {
        let (mut a, b) = UnixStream::pair().unwrap();
        let now = Some(Duration::ZERO);
        let set = [(b.as_fd(), Interest::ReadWrite)];
        let ready = wait(&set, now).unwrap()[0];
        assert!(ready.writable && !ready.readable);
        a.write_all(b"x").unwrap();
        assert!(wait(&set, now).unwrap()[0].readable);
    }

    #[test]
    fn a_closed_peer_is_a_hangup() {
        let (a, b) = UnixStream::pair().unwrap();
        drop(a);
        let set = [(b.as_fd(), Interest::Hangup)];
        assert!(wait(&set, None).unwrap()[0].hangup);
    }

    #[test]
    fn what_the_other_end_has_not_read_is_counted() {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        assert_eq!(unread_output(a.as_fd()).unwrap(), 0);
        a.write_all(b"head").unwrap();
        assert_ne!(unread_output(a.as_fd()).unwrap(), 0);
        b.read_exact(&mut [0; 4]).unwrap();
        assert_eq!(unread_output(a.as_fd()).unwrap(), 0);
    }
}

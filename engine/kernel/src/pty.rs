//! Terminal pairs: the master a keeper reads and writes, the slave a shell lives on; see pty(7).
//!
//! The slave is opened through the master's descriptor (`TIOCGPTPEER`), never by a path: a path
//! such as `/dev/pts/0` means another terminal in another mount namespace.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::SysError;

/// Both ends of a new terminal.
#[derive(Debug)]
pub struct Pair {
    /// The end of whoever shows the terminal.
    pub master: OwnedFd,
    /// The end of the programs that run in it.
    pub slave: OwnedFd,
}

/// The size of a terminal in character cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    /// Width.
    pub cols: u16,
    /// Height.
    pub rows: u16,
}

/// Opens a pair in the devpts instance that `/dev/ptmx` of this mount namespace leads to.
pub fn open(size: WindowSize) -> Result<Pair, SysError> {
    open_at(c"/dev/ptmx", size)
}

const FLAGS: libc::c_int = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;

/// Opens a pair in the devpts instance of the multiplexer at `ptmx`, such as `…/pts/ptmx`.
pub fn open_at(ptmx: &CStr, size: WindowSize) -> Result<Pair, SysError> {
    // SAFETY: the path is a `CStr` borrow that outlives the call; the kernel only reads it.
    let ret = unsafe { libc::open(ptmx.as_ptr(), FLAGS) };
    SysError::check("open ptmx", ret.into())?;
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    let master = unsafe { OwnedFd::from_raw_fd(ret) };

    let unlocked: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int through the pointer, which a live local provides.
    let ret = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) };
    SysError::check("ioctl TIOCSPTLCK", ret.into())?;

    let slave = peer(borrow(&master))?;
    let pair = Pair { master, slave };
    set_window_size(borrow(&pair.master), size)?;
    Ok(pair)
}

/// Opens the slave of `master`.
pub fn peer(master: BorrowedFd<'_>) -> Result<OwnedFd, SysError> {
    // SAFETY: TIOCGPTPEER takes its flags by value and touches no memory of ours.
    let ret = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, FLAGS) };
    SysError::check("ioctl TIOCGPTPEER", ret.into())?;
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(ret) })
}

/// Tells the terminal its size; the programs in it receive SIGWINCH when it changes.
pub fn set_window_size(terminal: BorrowedFd<'_>, size: WindowSize) -> Result<(), SysError> {
    let size = libc::winsize {
        ws_row: size.rows,
        ws_col: size.cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCSWINSZ reads one `winsize` through the pointer, which a live local provides.
    let ret = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    SysError::check("ioctl TIOCSWINSZ", ret.into())
}

/// Reads the terminal's size.
pub fn window_size(terminal: BorrowedFd<'_>) -> Result<WindowSize, SysError> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one `winsize` through the pointer, which a live local provides.
    let ret = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    SysError::check("ioctl TIOCGWINSZ", ret.into())?;
    Ok(WindowSize {
        cols: size.ws_col,
        rows: size.ws_row,
    })
}

/// Makes this process the leader of a new session whose controlling terminal is `slave`.
///
/// Fails with EPERM in a process that leads a group already: call it in a fresh child.
pub fn lead_session(slave: BorrowedFd<'_>) -> Result<(), SysError> {
    // SAFETY: setsid(2) takes no argument and touches no memory of ours.
    let ret = unsafe { libc::setsid() };
    SysError::check("setsid", ret.into())?;
    // SAFETY: TIOCSCTTY takes its argument by value; 0 steals from no other session.
    let ret = unsafe { libc::ioctl(slave.as_raw_fd(), libc::TIOCSCTTY, 0) };
    SysError::check("ioctl TIOCSCTTY", ret.into())
}

/// The byte that interrupts the foreground programs (usually Ctrl-C), unless they turned it off.
pub fn interrupt_byte(master: BorrowedFd<'_>) -> Result<Option<u8>, SysError> {
    let mut modes = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: tcgetattr(3) writes one `termios` through the pointer to a live local.
    let ret = unsafe { libc::tcgetattr(master.as_raw_fd(), modes.as_mut_ptr()) };
    SysError::check("tcgetattr", ret.into())?;
    // SAFETY: tcgetattr succeeded, so it filled the whole structure.
    let modes = unsafe { modes.assume_init() };
    Ok((modes.c_lflag & libc::ISIG != 0).then_some(modes.c_cc[libc::VINTR]))
}

/// How many bytes typed into the terminal its programs have not read; see `FIONREAD` in
/// ioctl_tty(2).
pub fn unread_input(master: BorrowedFd<'_>) -> Result<usize, SysError> {
    let slave = peer(master)?;
    let mut unread: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int through the pointer, which a live local provides.
    let ret = unsafe { libc::ioctl(slave.as_raw_fd(), libc::FIONREAD, &raw mut unread) };
    SysError::check("ioctl FIONREAD", ret.into())?;
    Ok(usize::try_from(unread).unwrap_or(0))
}

/// Sends SIGINT to the terminal's foreground programs and drops the input they have not read.
///
/// For the case where the terminal's input buffer is full, so that the interrupt byte itself
/// could not be written.
pub fn interrupt(master: BorrowedFd<'_>) -> Result<(), SysError> {
    let slave = peer(master)?;
    // SAFETY: TCFLSH takes its argument by value and touches no memory of ours.
    let ret = unsafe { libc::ioctl(slave.as_raw_fd(), libc::TCFLSH, libc::TCIFLUSH) };
    SysError::check("ioctl TCFLSH", ret.into())?;
    // `libc` does not name it: _IOW('T', 0x36, int).
    const TIOCSIG: libc::Ioctl = 0x4004_5436;
    // SAFETY: TIOCSIG takes the signal by value.
    let ret = unsafe { libc::ioctl(master.as_raw_fd(), TIOCSIG, libc::SIGINT) };
    SysError::check("ioctl TIOCSIG", ret.into())
}

fn borrow(fd: &OwnedFd) -> BorrowedFd<'_> {
    std::os::fd::AsFd::as_fd(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};

    const SIZE: WindowSize = WindowSize { cols: 80, rows: 24 };

    #[test]
    fn what_the_slave_writes_the_master_reads() {
        let pair = open(SIZE).unwrap();
        let (mut master, mut slave) = (File::from(pair.master), File::from(pair.slave));
        slave.write_all(b"hello\n").unwrap();
        let mut buffer = [0; 7];
        master.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"hello\r\n");
    }

    #[test]
    fn both_ends_agree_on_the_size() {
        let pair = open(SIZE).unwrap();
        assert_eq!(window_size(borrow(&pair.slave)).unwrap(), SIZE);
        let wide = WindowSize {
            cols: 132,
            rows: 43,
        };
        set_window_size(borrow(&pair.master), wide).unwrap();
        assert_eq!(window_size(borrow(&pair.slave)).unwrap(), wide);
    }

    #[test]
    fn a_cooked_terminal_is_interrupted_by_ctrl_c() {
        let pair = open(SIZE).unwrap();
        assert_eq!(interrupt_byte(borrow(&pair.master)).unwrap(), Some(3));
        interrupt(borrow(&pair.master)).unwrap();
    }
}

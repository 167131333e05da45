//! Signals as something to read: blocked for the process and fetched from a descriptor.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::error::SysError;
use crate::process::Signal;

/// Signals blocked for this process and readable from a descriptor; see signalfd(2).
#[derive(Debug)]
pub struct Inbox(OwnedFd);

impl Inbox {
    /// Blocks `signals` and opens the descriptor, which does not block.
    pub fn open(signals: &[Signal]) -> Result<Self, SysError> {
        let set = set_of(signals);
        change(libc::SIG_BLOCK, &set)?;
        // SAFETY: signalfd(2) reads one signal set through the pointer to a live local.
        let ret =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        SysError::check("signalfd", ret.into())?;
        // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(ret) }))
    }

    /// The next signal that arrived, or `None`.
    pub fn next(&self) -> Result<Option<Signal>, SysError> {
        let mut info = std::mem::MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the pointer and the size describe one live local that read(2) may fill.
        let ret = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        if ret < 0 {
            let error = SysError::last("read signalfd");
            return match error.source.kind() {
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            };
        }
        // SAFETY: a signalfd delivers whole records only, so a successful read filled `info`.
        let info = unsafe { info.assume_init() };
        Ok(Some(Signal(info.ssi_signo.cast_signed())))
    }
}

impl std::os::fd::AsFd for Inbox {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Unblocks every signal and gives each its default action: what a new program expects.
pub fn reset_all() -> Result<(), SysError> {
    // SAFETY: all-zero bytes are a valid `sigaction`: default action, no flag, empty mask.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    for number in 1..=64 {
        // SAFETY: the pointer leads to a live local; a default action runs no code of ours.
        // SIGKILL, SIGSTOP and the two numbers glibc keeps for itself are refused, harmlessly.
        unsafe { libc::sigaction(number, &raw const default, std::ptr::null_mut()) };
    }
    let empty = set_of(&[]);
    change(libc::SIG_SETMASK, &empty)
}

fn set_of(signals: &[Signal]) -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset(3) fills the set behind the pointer to a live local.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the call above initialised it.
    let mut set = unsafe { set.assume_init() };
    for signal in signals {
        // SAFETY: sigaddset(3) changes an initialised set behind a pointer to a live local.
        unsafe { libc::sigaddset(&raw mut set, signal.0) };
    }
    set
}

fn change(how: libc::c_int, set: &libc::sigset_t) -> Result<(), SysError> {
    // SAFETY: sigprocmask(2) reads one live set; a null old set asks for nothing back.
    let ret = unsafe { libc::sigprocmask(how, set, std::ptr::null_mut()) };
    SysError::check("sigprocmask", ret.into())
}

//! A network interface by name, through the old socket ioctls; see netdevice(7).

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::error::SysError;

/// Brings an interface of this network namespace up.
pub fn bring_up(name: &str) -> Result<(), SysError> {
    let socket = socket()?;
    // SAFETY: all-zero bytes are a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    for (to, from) in request.ifr_name[..libc::IFNAMSIZ - 1]
        .iter_mut()
        .zip(name.bytes())
    {
        *to = from.cast_signed();
    }
    // SAFETY: SIOCGIFFLAGS reads the name of one live `ifreq` and writes its flags.
    let ret = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    SysError::check("ioctl SIOCGIFFLAGS", ret.into()).map_err(|e| e.on(name))?;
    // SAFETY: the call above filled the flags, which are plain bits in any case.
    unsafe { request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short };
    // SAFETY: SIOCSIFFLAGS reads one live `ifreq`.
    let ret = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    SysError::check("ioctl SIOCSIFFLAGS", ret.into()).map_err(|e| e.on(name))
}

fn socket() -> Result<OwnedFd, SysError> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes its arguments by value.
    let ret = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    SysError::check("socket", ret.into())?;
    // SAFETY: the call above succeeded, so `ret` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(ret) })
}

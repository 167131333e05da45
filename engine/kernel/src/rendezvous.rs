//! A socket file where one process waits for another; messages keep their borders.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::error::SysError;
use crate::fs::owned;
use crate::socket_path::SocketPath;

/// Makes the socket file `path` and listens on it; see unix(7), `SOCK_SEQPACKET`.
pub fn listen(path: &Path) -> Result<OwnedFd, SysError> {
    let socket = socket()?;
    at(path, "bind", |address, length| {
        // SAFETY: bind(2) reads one address of the given length through a pointer to a live local.
        unsafe { libc::bind(socket.as_raw_fd(), address, length) }
    })?;
    // SAFETY: listen(2) takes its arguments by value.
    let ret = unsafe { libc::listen(socket.as_raw_fd(), 4) };
    SysError::check("listen", ret.into())?;
    Ok(socket)
}

/// Waits for the other process.
pub fn accept(listener: BorrowedFd<'_>) -> Result<OwnedFd, SysError> {
    let none = std::ptr::null_mut();
    loop {
        // SAFETY: null pointers ask for no address back.
        let ret = unsafe {
            libc::accept4(
                listener.as_raw_fd(),
                none,
                std::ptr::null_mut(),
                libc::SOCK_CLOEXEC,
            )
        };
        match owned("accept4", ret.into()) {
            Err(e) if e.source.kind() == std::io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reaches the process that waits at `path`.
pub fn connect(path: &Path) -> Result<OwnedFd, SysError> {
    let socket = socket()?;
    at(path, "connect", |address, length| {
        // SAFETY: connect(2) reads one address of the given length through a pointer to a live
        // local.
        unsafe { libc::connect(socket.as_raw_fd(), address, length) }
    })?;
    Ok(socket)
}

fn socket() -> Result<OwnedFd, SysError> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes its arguments by value.
    let ret = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    owned("socket", ret.into())
}

fn at(
    path: &Path,
    call: &'static str,
    act: impl Fn(*const libc::sockaddr, libc::socklen_t) -> libc::c_int,
) -> Result<(), SysError> {
    use std::os::unix::ffi::OsStrExt;
    let failed = |e| SysError::io(call, e).on(path.to_string_lossy());
    let short = SocketPath::open(path).map_err(failed)?;
    let name = short.short().as_os_str().as_bytes();
    // SAFETY: all-zero bytes are a valid `sockaddr_un`: no family, an empty name.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::sa_family_t::try_from(libc::AF_UNIX).expect("a small constant");
    if name.len() >= address.sun_path.len() {
        return Err(failed(std::io::ErrorKind::InvalidFilename.into()));
    }
    for (to, from) in address.sun_path.iter_mut().zip(name) {
        *to = from.cast_signed();
    }
    let length = libc::socklen_t::try_from(size_of_val(&address)).expect("a small structure");
    SysError::check(call, act((&raw const address).cast(), length).into())
        .map_err(|e| e.on(path.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights;
    use std::os::fd::AsFd;

    #[test]
    fn two_ends_meet_at_a_path_of_any_length() {
        let top = std::env::temp_dir().join(format!("quai-meet-{}", std::process::id()));
        let folder = top.join("a".repeat(120));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("start");
        let listener = listen(&path).unwrap();
        let there = connect(&path).unwrap();
        let here = accept(listener.as_fd()).unwrap();
        rights::send(there.as_fd(), b"go", &[]).unwrap();
        let mut buffer = [0; 8];
        let (n, _) = rights::receive(here.as_fd(), &mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"go");
        std::fs::remove_dir_all(top).unwrap();
    }
}

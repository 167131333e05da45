//! TCP connections that one process begins and another one awaits; see tcp(7) and connect(2).

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, socket,
};

use crate::error::SysError;

/// Begins a connection from this thread's network namespace and waits for nothing.
///
/// The descriptor becomes writable when the connection stands or has failed (`SO_ERROR` says
/// which). It belongs to this namespace wherever it is sent.
pub fn begin_connect(address: SocketAddr) -> Result<OwnedFd, SysError> {
    let named = |call| move |e: Errno| SysError::io(call, e.into()).on(address.to_string());
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Stream, flags, SockProtocol::Tcp).map_err(named("socket"))?;
    match connect(fd.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(fd),
        Err(error) => Err(named("connect")(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_that_was_begun_carries_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fd = begin_connect(listener.local_addr().unwrap()).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        let mut begun = TcpStream::from(fd);
        begun.set_nonblocking(false).unwrap();
        begun.write_all(b"hello").unwrap();
        let mut buffer = [0; 5];
        accepted.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"hello");
    }

    #[test]
    fn a_port_where_nobody_listens_refuses() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        // On loopback the answer may come at once, or to who waits for it.
        match begin_connect(address) {
            Err(error) => assert_eq!(error.source.raw_os_error(), Some(libc::ECONNREFUSED)),
            Ok(fd) => {
                let mut begun = TcpStream::from(fd);
                begun.set_nonblocking(false).unwrap();
                assert!(begun.write_all(b"x").is_err() || begun.read(&mut [0]).is_err());
            }
        }
    }
}

//! A port of this network namespace that is held, so that nobody else is given it; see bind(2).

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, getsockname,
    getsockopt, listen, setsockopt, socket, sockopt,
};

use crate::error::SysError;

/// A transport protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP, where the kernel has it.
    Sctp,
}

/// A held port; it is free again when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    socket: OwnedFd,
    port: u16,
}

impl Reservation {
    /// A port that another process has taken, by the socket that holds it.
    pub fn passed(socket: OwnedFd, port: u16) -> Self {
        Self { socket, port }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket that holds it, for whoever wants to hear what comes: a listening one takes this many callers at once,
    /// and none of them blocks.
    pub fn into_socket(self, backlog: u16) -> Result<OwnedFd, SysError> {
        let named = |call| move |e: nix::Error| SysError::io(call, e.into());
        let flags = OFlag::O_NONBLOCK;
        fcntl(&self.socket, FcntlArg::F_SETFL(flags)).map_err(named("fcntl"))?;
        if getsockopt(&self.socket, sockopt::AcceptConn).map_err(named("getsockopt"))? {
            let backlog = Backlog::new(i32::from(backlog)).map_err(named("listen"))?;
            listen(&self.socket, backlog).map_err(named("listen"))?;
        }
        Ok(self.socket)
    }
}

/// Holds a port; with port 0 the kernel chooses a free one. An IPv6 address does not hold the IPv4 port.
pub fn reserve(address: SocketAddr, transport: Transport) -> Result<Reservation, SysError> {
    let named = |call| move |e: nix::Error| SysError::io(call, e.into()).on(address.to_string());
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let fd = match transport {
        Transport::Tcp => socket(
            family,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::Tcp,
        ),
        Transport::Udp => socket(
            family,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::Udp,
        ),
        Transport::Sctp => return sctp(address),
    }
    .map_err(named("socket"))?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true).map_err(named("setsockopt IPV6_V6ONLY"))?;
    }
    if transport == Transport::Tcp {
        // Old connections that linger on the port do not count; a listener does, and so shall this one.
        setsockopt(&fd, sockopt::ReuseAddr, &true).map_err(named("setsockopt SO_REUSEADDR"))?;
    }
    held(fd, address, transport)
}

fn held(fd: OwnedFd, address: SocketAddr, transport: Transport) -> Result<Reservation, SysError> {
    let named = |call| move |e: nix::Error| SysError::io(call, e.into()).on(address.to_string());
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address)).map_err(named("bind"))?;
    if transport != Transport::Udp {
        listen(&fd, Backlog::new(1).expect("1 is allowed")).map_err(named("listen"))?;
    }
    let own: SockaddrStorage = getsockname(fd.as_raw_fd()).map_err(named("getsockname"))?;
    let port = own
        .as_sockaddr_in()
        .map(nix::sys::socket::SockaddrIn::port)
        .or_else(|| {
            own.as_sockaddr_in6()
                .map(nix::sys::socket::SockaddrIn6::port)
        })
        .unwrap_or_default();
    Ok(Reservation { socket: fd, port })
}

fn sctp(address: SocketAddr) -> Result<Reservation, SysError> {
    use std::os::fd::FromRawFd;
    let family = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    // SAFETY: socket(2) takes three numbers and returns a new descriptor or -1.
    let raw = unsafe {
        libc::socket(
            family,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
            libc::IPPROTO_SCTP,
        )
    };
    SysError::check("socket SCTP", raw.into()).map_err(|e| e.on(address.to_string()))?;
    // SAFETY: the descriptor was returned by socket(2) just now and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)
            .map_err(|e| SysError::io("setsockopt IPV6_V6ONLY", e.into()))?;
    }
    held(fd, address, Transport::Sctp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_port_is_given_once() {
        let any = "127.0.0.1:0".parse().unwrap();
        for transport in [Transport::Tcp, Transport::Udp] {
            let first = reserve(any, transport).unwrap();
            assert_ne!(first.port(), 0);
            let again = SocketAddr::from(([127, 0, 0, 1], first.port()));
            let error = reserve(again, transport).unwrap_err();
            assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
            drop(first);
            reserve(again, transport).unwrap();
        }
    }
}

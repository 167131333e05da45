//! Who listens on TCP in a network namespace; see sock_diag(7).
//!
//! `/proc/net/tcp` tells the same, but walks every connection of the whole computer for it:
//! tens of milliseconds where there is much memory.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

use super::{open, send};
use crate::error::SysError;
use crate::visit;

const CALL: &str = "SOCK_DIAG_BY_FAMILY";

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h; the others of linux/netlink.h.
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `1 << TCP_LISTEN` of linux/tcp_states.h.
const LISTENING: u32 = 1 << 10;

/// The size of `nlmsghdr`, and of `inet_diag_req_v2` behind it.
const HEADER: usize = 16;
const REQUEST: usize = 56;

/// The listeners of one network namespace: a socket that was made in it and asks again and again.
#[derive(Debug)]
pub struct Listeners(Socket);

impl Listeners {
    /// Those of the namespace `net`; the caller needs `CAP_SYS_ADMIN` over its owner.
    pub fn of(net: BorrowedFd<'_>) -> Result<Self, SysError> {
        let socket = visit::network(net, || open(CALL, NETLINK_SOCK_DIAG))?;
        Ok(Self(socket))
    }

    /// The addresses on which somebody listens now.
    pub fn list(&self) -> Result<Vec<SocketAddr>, SysError> {
        let mut all = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let family = u8::try_from(family).expect("families are small numbers");
            send(CALL, &self.0, &request(family))?;
            self.collect(&mut all)?;
        }
        Ok(all)
    }

    fn collect(&self, into: &mut Vec<SocketAddr>) -> Result<(), SysError> {
        loop {
            let (bytes, _) = self.0.recv_from_full().map_err(|e| SysError::io(CALL, e))?;
            let mut rest = bytes.as_slice();
            while let Some((kind, body, after)) = message(rest) {
                match kind {
                    DONE => return Ok(()),
                    ERROR => return Err(SysError::io(CALL, cause(body))),
                    _ => into.extend(address(body)),
                }
                rest = after;
            }
        }
    }
}

/// Listening TCP sockets of a family, all of them.
fn request(family: u8) -> Vec<u8> {
    let mut bytes = vec![0; HEADER + REQUEST];
    let length = u32::try_from(bytes.len()).expect("a small constant");
    bytes[0..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes[HEADER] = family;
    bytes[HEADER + 1] = u8::try_from(libc::IPPROTO_TCP).expect("protocols are small numbers");
    bytes[HEADER + 4..HEADER + 8].copy_from_slice(&LISTENING.to_ne_bytes());
    bytes
}

/// The kind and the body of the first message, and what comes after it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(HEADER..length)?;
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, after))
}

/// Why the kernel refuses: the negative errno of `nlmsgerr`.
fn cause(body: &[u8]) -> Error {
    match body.first_chunk() {
        Some(code) => Error::from_raw_os_error(i32::from_ne_bytes(*code).saturating_neg()),
        None => ErrorKind::InvalidData.into(),
    }
}

/// The local address in an `inet_diag_msg`: the family, then at 4 the port and at 8 the address,
/// both in network order.
fn address(body: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*body.get(4..)?.first_chunk()?);
    let source: &[u8; 16] = body.get(8..)?.first_chunk()?;
    let ip: IpAddr = match i32::from(*body.first()?) {
        libc::AF_INET => Ipv4Addr::from(*source.first_chunk::<4>()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(*source).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_listener_is_told_while_it_listens() {
        // The socket alone: entering even one's own namespace is for root.
        let listeners = Listeners(open(CALL, NETLINK_SOCK_DIAG).unwrap());
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let all = listeners.list().unwrap();
        assert!(all.contains(&address), "{all:?}");
        assert!(!all.contains(&client.local_addr().unwrap()));
        drop(server);
        assert!(!listeners.list().unwrap().contains(&address));
    }

    #[test]
    fn root_sees_those_of_another_namespace() {
        let own = crate::namespace::open_own("net").unwrap();
        match Listeners::of(own.as_fd()) {
            Ok(listeners) => assert!(listeners.list().is_ok()),
            Err(error) => assert_eq!(error.source.kind(), ErrorKind::PermissionDenied),
        }
    }

    #[test]
    fn cut_messages_are_no_addresses() {
        let whole = [&[2, 10, 0, 0, 0x1f, 0x90, 0, 0, 127, 0, 0, 1][..], &[0; 12]].concat();
        assert_eq!(address(&whole), Some("127.0.0.1:8080".parse().unwrap()));
        for length in 0..24 {
            assert_eq!(address(&whole[..length]), None, "{length}");
        }
        assert!(message(&[200, 0, 0, 0, 20, 0, 0, 0]).is_none());
    }
}

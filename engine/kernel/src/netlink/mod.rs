//! Links, addresses, routes, packet rules and listeners of this thread's network namespace; see netlink(7).
//!
//! Every call blocks, opens its own socket and waits for the kernel's acknowledgement. To work in
//! another namespace a thread enters it first, and ends afterwards.

pub mod address;
pub mod link;
pub mod listener;
pub mod neighbour;
pub mod nftables;
pub mod route;
pub mod xfrm;

use std::os::fd::AsRawFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use crate::error::SysError;

/// Sends one request and waits for its acknowledgement.
fn request(call: &'static str, message: RouteNetlinkMessage, flags: u16) -> Result<(), SysError> {
    let bytes = serialize(message, NLM_F_REQUEST | NLM_F_ACK | flags);
    let socket = open(call, NETLINK_ROUTE)?;
    send(call, &socket, &bytes)?;
    acknowledged(call, &socket, 1)
}

/// Asks for a list and reads all of it.
fn dump(
    call: &'static str,
    message: RouteNetlinkMessage,
) -> Result<Vec<RouteNetlinkMessage>, SysError> {
    let bytes = serialize(message, NLM_F_REQUEST | NLM_F_DUMP);
    let socket = open(call, NETLINK_ROUTE)?;
    send(call, &socket, &bytes)?;
    let mut all = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full().map_err(|e| SysError::io(call, e))?;
        let mut rest = bytes.as_slice();
        while rest.len() >= 16 {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .map_err(|e| SysError::io(call, std::io::Error::other(e)))?;
            let length = (message.header.length as usize).next_multiple_of(4);
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(all),
                NetlinkPayload::Error(error) => return Err(SysError::io(call, error.to_io())),
                NetlinkPayload::InnerMessage(inner) => all.push(inner),
                _ => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

fn serialize(message: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = 1;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn open(call: &'static str, protocol: isize) -> Result<Socket, SysError> {
    let mut socket = Socket::new(protocol).map_err(|e| SysError::io(call, e))?;
    socket.bind_auto().map_err(|e| SysError::io(call, e))?;
    Ok(socket)
}

/// Lets a message of this size be sent at once. Where the kernel refuses, sending tells.
fn make_room(socket: &Socket, bytes: usize) {
    const USUAL: usize = 128 << 10;
    if bytes < USUAL {
        return;
    }
    let size = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    for option in [libc::SO_SNDBUFFORCE, libc::SO_SNDBUF] {
        // SAFETY: the socket is open as long as the borrow lives; the option's value is an `int` on this stack and
        // its length is given.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const size).cast(),
                size_of_val(&size) as libc::socklen_t,
            )
        };
        if set == 0 {
            return;
        }
    }
}

fn send(call: &'static str, socket: &Socket, bytes: &[u8]) -> Result<(), SysError> {
    let kernel = SocketAddr::new(0, 0);
    let sent = socket.send_to(bytes, &kernel, 0);
    sent.map(drop).map_err(|e| SysError::io(call, e))
}

/// Reads answers until that to message `last`; the first error among them is the result.
fn acknowledged(call: &'static str, socket: &Socket, last: u32) -> Result<(), SysError> {
    let mut result = Ok(());
    loop {
        let (bytes, _) = socket.recv_from_full().map_err(|e| SysError::io(call, e))?;
        let mut rest = bytes.as_slice();
        while let Some((sequence, code, length)) = answer(rest) {
            if let Some(code @ ..0) = code
                && result.is_ok()
            {
                let source = std::io::Error::from_raw_os_error(-code);
                result = Err(SysError::io(call, source));
            }
            if sequence == last {
                return result;
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

/// The head of an answer: its sequence, its error code if it is one, and its length.
fn answer(bytes: &[u8]) -> Option<(u32, Option<i32>, usize)> {
    const NLMSG_ERROR: u16 = 2;
    let word = |at: usize| bytes.get(at..at + 4)?.first_chunk::<4>().copied();
    let length = u32::from_ne_bytes(word(0)?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..6)?.first_chunk()?);
    let sequence = u32::from_ne_bytes(word(8)?);
    let code = (kind == NLMSG_ERROR)
        .then(|| word(16).map(i32::from_ne_bytes))
        .flatten();
    Some((sequence, code, length.max(16).next_multiple_of(4)))
}

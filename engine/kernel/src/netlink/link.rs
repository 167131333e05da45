//! Network interfaces: bridges, veth pairs, up and down.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage::{DelLink, NewLink, SetLink};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

use super::request;
use crate::error::SysError;

/// The number of an interface, if there is one of this name here.
pub fn index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name is a `CString` that outlives the call; the C library only reads it.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        index => Some(index),
    }
}

/// The number of an interface that must be there.
pub(super) fn expect(name: &str) -> Result<u32, SysError> {
    index(name).ok_or_else(|| SysError::last("if_nametoindex").on(name))
}

/// Makes a bridge.
pub fn add_bridge(name: &str) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    request("RTM_NEWLINK bridge", NewLink(message), flags).map_err(|e| e.on(name))
}

/// The far end of a veth pair, born in another namespace.
#[derive(Clone, Debug)]
pub struct Peer<'a> {
    /// Its name there.
    pub name: &'a str,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// Where it is born.
    pub namespace: BorrowedFd<'a>,
}

/// Makes a veth pair: one end here, the other in a namespace. Either ends with the other.
pub fn add_veth(name: &str, peer: &Peer<'_>) -> Result<(), SysError> {
    let mut far = LinkMessage::default();
    far.attributes = vec![
        LinkAttribute::IfName(peer.name.to_owned()),
        LinkAttribute::Address(peer.mac.to_vec()),
        LinkAttribute::NetNsFd(peer.namespace.as_raw_fd()),
    ];
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far))),
        ]),
    ];
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    request("RTM_NEWLINK veth", NewLink(message), flags).map_err(|e| e.on(name))
}

/// Makes an interface a port of a bridge.
pub fn set_controller(name: &str, bridge: &str) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.header.index = expect(name)?;
    message.attributes = vec![LinkAttribute::Controller(expect(bridge)?)];
    request("RTM_SETLINK master", SetLink(message), 0).map_err(|e| e.on(name))
}

/// Moves an interface to another namespace, where it is off and has no address.
pub fn move_to(name: &str, namespace: BorrowedFd<'_>) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.header.index = expect(name)?;
    message.attributes = vec![LinkAttribute::NetNsFd(namespace.as_raw_fd())];
    request("RTM_SETLINK netns", SetLink(message), 0).map_err(|e| e.on(name))
}

/// Turns an interface on.
pub fn set_up(name: &str) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.header.index = expect(name)?;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    request("RTM_SETLINK up", SetLink(message), 0).map_err(|e| e.on(name))
}

/// Removes an interface.
pub fn delete(name: &str) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.header.index = expect(name)?;
    request("RTM_DELLINK", DelLink(message), 0).map_err(|e| e.on(name))
}

//! Addresses of interfaces.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::NewAddress;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};

use super::{link, request};
use crate::error::SysError;

/// Gives an interface an address in a network of this prefix length.
pub fn add(interface: &str, address: Ipv4Addr, prefix: u8) -> Result<(), SysError> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = prefix;
    message.header.index = link::expect(interface)?;
    let broadcast = u32::from(address) | u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    message.attributes = vec![
        AddressAttribute::Local(IpAddr::V4(address)),
        AddressAttribute::Address(IpAddr::V4(address)),
        AddressAttribute::Broadcast(Ipv4Addr::from(broadcast)),
    ];
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    request("RTM_NEWADDR", NewAddress(message), flags)
        .map_err(|e| e.on(format!("{address}/{prefix} dev {interface}")))
}

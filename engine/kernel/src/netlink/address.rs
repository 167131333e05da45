//! Addresses of interfaces.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::{GetAddress, NewAddress};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};

use super::{dump, link, request};
use crate::error::SysError;

/// Gives an interface an address in a network of this prefix length.
///
/// An IPv6 address is usable at once: the engine knows who has which, so the kernel does not ask around (`nodad`).
pub fn add(interface: &str, address: impl Into<IpAddr>, prefix: u8) -> Result<(), SysError> {
    let address = address.into();
    let mut message = AddressMessage::default();
    message.header.prefix_len = prefix;
    message.header.index = link::expect(interface)?;
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    match address {
        IpAddr::V4(address) => {
            message.header.family = AddressFamily::Inet;
            let broadcast = u32::from(address) | u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            message
                .attributes
                .push(AddressAttribute::Broadcast(Ipv4Addr::from(broadcast)));
        }
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            message.header.flags = AddressHeaderFlags::Nodad;
        }
    }
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    request("RTM_NEWADDR", NewAddress(message), flags)
        .map_err(|e| e.on(format!("{address}/{prefix} dev {interface}")))
}

/// The addresses of an interface, in the kernel's order.
pub fn list(interface: &str) -> Result<Vec<IpAddr>, SysError> {
    let index = link::expect(interface)?;
    let mut all = Vec::new();
    for answer in dump("RTM_GETADDR", GetAddress(AddressMessage::default()))? {
        let NewAddress(message) = answer else {
            continue;
        };
        if message.header.index != index {
            continue;
        }
        // Between two ends of a link `Address` is the other one's.
        let local = |a: &AddressAttribute| match a {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        };
        let plain = |a: &AddressAttribute| match a {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        };
        let attributes = &message.attributes;
        let found = attributes.iter().find_map(local);
        all.extend(found.or_else(|| attributes.iter().find_map(plain)));
    }
    Ok(all)
}

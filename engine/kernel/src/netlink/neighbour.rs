//! Who is behind which address: entries that somebody who knows writes, instead of asking around.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::{DelNeighbour, NewNeighbour};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};

use super::{link, request};
use crate::error::SysError;

/// Says which MAC address an address of this link has.
pub fn set(interface: &str, address: IpAddr, mac: [u8; 6]) -> Result<(), SysError> {
    let message = entry(interface, address, mac)?;
    request(
        "RTM_NEWNEIGH",
        NewNeighbour(message),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
    .map_err(|e| e.on(format!("{address} dev {interface}")))
}

/// Forgets it.
pub fn unset(interface: &str, address: IpAddr, mac: [u8; 6]) -> Result<(), SysError> {
    let message = entry(interface, address, mac)?;
    request("RTM_DELNEIGH", DelNeighbour(message), 0)
        .map_err(|e| e.on(format!("{address} dev {interface}")))
}

/// Says behind which VTEP a MAC address is: an entry of a VXLAN interface's forwarding table.
pub fn set_vtep(interface: &str, mac: [u8; 6], vtep: IpAddr) -> Result<(), SysError> {
    let message = forwarding(interface, mac, vtep)?;
    request(
        "RTM_NEWNEIGH fdb",
        NewNeighbour(message),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
    .map_err(|e| e.on(format!("{vtep} dev {interface}")))
}

/// Forgets it.
pub fn unset_vtep(interface: &str, mac: [u8; 6], vtep: IpAddr) -> Result<(), SysError> {
    let message = forwarding(interface, mac, vtep)?;
    request("RTM_DELNEIGH fdb", DelNeighbour(message), 0)
        .map_err(|e| e.on(format!("{vtep} dev {interface}")))
}

fn entry(interface: &str, address: IpAddr, mac: [u8; 6]) -> Result<NeighbourMessage, SysError> {
    let mut message = NeighbourMessage::default();
    message.header.family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.ifindex = link::expect(interface)?;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(told(address)),
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
    ];
    Ok(message)
}

fn forwarding(interface: &str, mac: [u8; 6], vtep: IpAddr) -> Result<NeighbourMessage, SysError> {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = link::expect(interface)?;
    message.header.state = NeighbourState::Permanent;
    message.header.flags = NeighbourFlags::Own;
    message.attributes = vec![
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
        NeighbourAttribute::Destination(told(vtep)),
    ];
    Ok(message)
}

fn told(address: IpAddr) -> NeighbourAddress {
    match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    }
}

//! Who is behind which address: entries that somebody who knows writes, instead of asking around.
//!
//! What is written here carries the mark `extern_learn` (`NTF_EXT_LEARNED` of linux/neighbour.h), by which [`written`]
//! tells it from what somebody added by hand with `bridge fdb` or `ip neighbour`.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::{DelNeighbour, GetNeighbour, NewNeighbour};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};

use super::{dump, link, request};
use crate::error::SysError;

/// One entry of an interface's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// An address of the link has this MAC address.
    Neighbour {
        /// Whose.
        address: IpAddr,
        /// Which.
        mac: [u8; 6],
    },
    /// A MAC address is behind this VTEP: an entry of a VXLAN interface's forwarding table.
    Forwarding {
        /// Whose.
        mac: [u8; 6],
        /// Where.
        vtep: IpAddr,
    },
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Neighbour { address, .. } => write!(f, "{address}"),
            Self::Forwarding { vtep, .. } => write!(f, "dst {vtep}"),
        }
    }
}

/// Writes an entry, in place of one about the same address.
pub fn set(interface: &str, entry: Entry) -> Result<(), SysError> {
    request(
        "RTM_NEWNEIGH",
        NewNeighbour(message(interface, entry)?),
        NLM_F_CREATE | NLM_F_REPLACE,
    )
    .map_err(|e| e.on(format!("{entry} dev {interface}")))
}

/// Forgets an entry.
pub fn unset(interface: &str, entry: Entry) -> Result<(), SysError> {
    request("RTM_DELNEIGH", DelNeighbour(message(interface, entry)?), 0)
        .map_err(|e| e.on(format!("{entry} dev {interface}")))
}

/// The entries of an interface that were written by [`set`], by whatever process.
pub fn written(interface: &str) -> Result<Vec<Entry>, SysError> {
    let index = link::expect(interface)?;
    let mut all = Vec::new();
    for family in [
        AddressFamily::Inet,
        AddressFamily::Inet6,
        AddressFamily::Bridge,
    ] {
        let mut question = NeighbourMessage::default();
        question.header.family = family;
        for answer in dump("RTM_GETNEIGH", GetNeighbour(question))? {
            if let NewNeighbour(found) = answer
                && found.header.ifindex == index
                && found.header.flags.contains(NeighbourFlags::ExtLearned)
            {
                all.extend(read(&found));
            }
        }
    }
    Ok(all)
}

fn read(message: &NeighbourMessage) -> Option<Entry> {
    let (mut mac, mut address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.as_slice().try_into().ok(),
            NeighbourAttribute::Destination(NeighbourAddress::Inet(found)) => {
                address = Some(IpAddr::from(*found));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(found)) => {
                address = Some(IpAddr::from(*found));
            }
            // The forwarding table's own family says nothing about the address's.
            NeighbourAttribute::Destination(NeighbourAddress::Other(bytes)) => {
                address = <[u8; 4]>::try_from(bytes.as_slice())
                    .map(IpAddr::from)
                    .or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from))
                    .ok();
            }
            _ => {}
        }
    }
    let (mac, address) = (mac?, address?);
    Some(if message.header.family == AddressFamily::Bridge {
        Entry::Forwarding { mac, vtep: address }
    } else {
        Entry::Neighbour { address, mac }
    })
}

fn message(interface: &str, entry: Entry) -> Result<NeighbourMessage, SysError> {
    match entry {
        Entry::Neighbour { address, mac } => neighbour(interface, address, mac),
        Entry::Forwarding { mac, vtep } => forwarding(interface, mac, vtep),
    }
}

fn neighbour(interface: &str, address: IpAddr, mac: [u8; 6]) -> Result<NeighbourMessage, SysError> {
    let mut message = NeighbourMessage::default();
    message.header.family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.ifindex = link::expect(interface)?;
    message.header.state = NeighbourState::Permanent;
    message.header.flags = NeighbourFlags::ExtLearned;
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
    message.header.flags = NeighbourFlags::Own | NeighbourFlags::ExtLearned;
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

//! Routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::{self, GetRoute, NewRoute};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use super::{dump, link, request};
use crate::error::SysError;

/// A network that this namespace knows a way to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// First address of the network.
    pub destination: IpAddr,
    /// How many of its bits are fixed; 0 for the default route.
    pub prefix: u8,
    /// Number of the interface it leads through, if it does.
    pub interface: Option<u32>,
}

/// Sends everything without a better route to this gateway.
pub fn add_default(gateway: impl Into<IpAddr>) -> Result<(), SysError> {
    let gateway = gateway.into();
    let mut message = empty(gateway);
    message.attributes = vec![RouteAttribute::Gateway(told(gateway))];
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    request("RTM_NEWROUTE", NewRoute(message), flags)
        .map_err(|e| e.on(format!("default via {gateway}")))
}

/// Sends everything without a better route out of an interface, where somebody knows how to go on.
pub fn add_default_through(interface: &str, unspecified: IpAddr) -> Result<(), SysError> {
    let mut message = empty(unspecified);
    message.header.scope = RouteScope::Link;
    message.attributes = vec![RouteAttribute::Oif(link::expect(interface)?)];
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    request("RTM_NEWROUTE", NewRoute(message), flags)
        .map_err(|e| e.on(format!("default dev {interface}")))
}

/// All routes of the main table, of both families.
pub fn list() -> Result<Vec<Route>, SysError> {
    let mut all = Vec::new();
    for family in [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ] {
        for message in dump("RTM_GETROUTE", GetRoute(empty(family)))? {
            if let RouteNetlinkMessage::NewRoute(message) = message
                && message.header.table == RouteHeader::RT_TABLE_MAIN
                && message.header.kind == RouteType::Unicast
            {
                all.push(read(&message, family));
            }
        }
    }
    Ok(all)
}

fn read(message: &RouteMessage, unspecified: IpAddr) -> Route {
    let mut route = Route {
        destination: unspecified,
        prefix: message.header.destination_prefix_length,
        interface: None,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => {
                route.destination = (*address).into();
            }
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => {
                route.destination = (*address).into();
            }
            RouteAttribute::Oif(index) => route.interface = Some(*index),
            _ => {}
        }
    }
    route
}

fn empty(family: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = match family {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message
}

fn told(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

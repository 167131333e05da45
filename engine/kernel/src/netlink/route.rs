//! Routes.

use std::net::Ipv4Addr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::NewRoute;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use super::request;
use crate::error::SysError;

/// Sends everything without a better route to this gateway.
pub fn add_default(gateway: Ipv4Addr) -> Result<(), SysError> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet(gateway))];
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    request("RTM_NEWROUTE", NewRoute(message), flags)
        .map_err(|e| e.on(format!("default via {gateway}")))
}

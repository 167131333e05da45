//! Network interfaces: bridges, veth pairs, macvlan, ipvlan, VLAN and VXLAN, up and down.

use std::ffi::CString;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage::{DelLink, GetLink, NewLink, SetLink};
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoPortData, InfoPortKind,
    InfoVeth, InfoVlan, InfoVxlan, IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
    MacVlanMode,
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
    create("RTM_NEWLINK bridge", name, message)
}

/// Sets the size of the largest packet, bytes.
pub fn set_mtu(name: &str, mtu: u32) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.header.index = expect(name)?;
    message.attributes = vec![LinkAttribute::Mtu(mtu)];
    request("RTM_SETLINK mtu", SetLink(message), 0).map_err(|e| e.on(name))
}

/// Sets the hardware address.
pub fn set_mac(name: &str, mac: [u8; 6]) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.header.index = expect(name)?;
    message.attributes = vec![LinkAttribute::Address(mac.to_vec())];
    request("RTM_SETLINK address", SetLink(message), 0).map_err(|e| e.on(name))
}

/// The size of the largest packet, bytes.
pub fn mtu(name: &str) -> Result<u32, SysError> {
    let found = described(name)?.into_iter().find_map(|a| match a {
        LinkAttribute::Mtu(mtu) => Some(mtu),
        _ => None,
    });
    found.ok_or_else(|| SysError::io("RTM_GETLINK", ErrorKind::NotFound.into()).on(name))
}

/// Where a VXLAN interface sends from; `None` for any other kind.
pub fn vxlan_local(name: &str) -> Result<Option<IpAddr>, SysError> {
    let found = described(name)?.into_iter().find_map(|a| match a {
        LinkAttribute::LinkInfo(info) => info.into_iter().find_map(|part| match part {
            LinkInfo::Data(InfoData::Vxlan(data)) => data.into_iter().find_map(|part| match part {
                InfoVxlan::Local(local) => Some(IpAddr::from(local)),
                InfoVxlan::Local6(local) => Some(IpAddr::from(local)),
                _ => None,
            }),
            _ => None,
        }),
        _ => None,
    });
    Ok(found)
}

fn described(name: &str) -> Result<Vec<LinkAttribute>, SysError> {
    let index = expect(name)?;
    let answers = super::dump("RTM_GETLINK", GetLink(LinkMessage::default()))?;
    let found = answers.into_iter().find_map(|answer| match answer {
        NewLink(message) if message.header.index == index => Some(message.attributes),
        _ => None,
    });
    found.ok_or_else(|| SysError::io("RTM_GETLINK", ErrorKind::NotFound.into()).on(name))
}

/// Names of the interfaces here.
pub fn names() -> Result<Vec<String>, SysError> {
    let answers = super::dump("RTM_GETLINK", GetLink(LinkMessage::default()))?;
    let mut names = Vec::new();
    for answer in answers {
        if let NewLink(message) = answer {
            names.extend(message.attributes.into_iter().find_map(|a| match a {
                LinkAttribute::IfName(name) => Some(name),
                _ => None,
            }));
        }
    }
    Ok(names)
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

/// Makes a veth pair whose end here is a port of a bridge and on: one request.
pub fn add_veth_port(
    name: &str,
    peer: &Peer<'_>,
    bridge: &str,
    mtu: Option<u32>,
) -> Result<(), SysError> {
    let mut far = LinkMessage::default();
    far.attributes = vec![
        LinkAttribute::IfName(peer.name.to_owned()),
        LinkAttribute::Address(peer.mac.to_vec()),
        LinkAttribute::NetNsFd(peer.namespace.as_raw_fd()),
    ];
    far.attributes.extend(mtu.map(LinkAttribute::Mtu));
    let mut message = LinkMessage::default();
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far))),
        ]),
        LinkAttribute::Controller(expect(bridge)?),
    ];
    message.attributes.extend(mtu.map(LinkAttribute::Mtu));
    create("RTM_NEWLINK veth", name, message)
}

/// What a port of a bridge does that others do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortMode {
    /// A frame may leave where it came in: its address was translated meanwhile.
    Hairpin,
    /// Nothing goes to other ports of this mode.
    Isolated,
}

/// Gives a port of a bridge these modes.
pub fn set_port(name: &str, modes: &[PortMode]) -> Result<(), SysError> {
    let mode = |mode: &PortMode| match mode {
        PortMode::Hairpin => InfoBridgePort::HairpinMode(true),
        PortMode::Isolated => InfoBridgePort::Isolated(true),
    };
    let mut message = LinkMessage::default();
    message.header.index = expect(name)?;
    message.attributes = vec![LinkAttribute::LinkInfo(vec![
        LinkInfo::PortKind(InfoPortKind::Bridge),
        LinkInfo::PortData(InfoPortData::BridgePort(modes.iter().map(mode).collect())),
    ])];
    request("RTM_NEWLINK port", NewLink(message), 0).map_err(|e| e.on(name))
}

/// How the containers of a macvlan interface see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Macvlan {
    /// Directly.
    Bridge,
    /// Not at all.
    Private,
    /// Through a switch that sends back.
    Vepa,
    /// There is only one, and the parent is its own.
    Passthru,
}

/// Which addresses an ipvlan interface decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipvlan {
    /// It speaks ARP like a neighbour.
    L2,
    /// The host routes.
    L3,
    /// The host routes, and its packet rules see it.
    L3s,
}

/// Where a new interface is born.
#[derive(Clone, Copy, Debug)]
pub struct Birth<'a> {
    /// Its name there.
    pub name: &'a str,
    /// The namespace.
    pub namespace: BorrowedFd<'a>,
}

/// Makes a macvlan interface on a parent of this namespace.
pub fn add_macvlan(
    parent: &str,
    birth: Birth<'_>,
    mac: [u8; 6],
    mode: Macvlan,
) -> Result<(), SysError> {
    let mode = match mode {
        Macvlan::Bridge => MacVlanMode::Bridge,
        Macvlan::Private => MacVlanMode::Private,
        Macvlan::Vepa => MacVlanMode::Vepa,
        Macvlan::Passthru => MacVlanMode::Passthrough,
    };
    let data = InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)]);
    let mut message = child(parent, birth, InfoKind::MacVlan, data)?;
    message
        .attributes
        .push(LinkAttribute::Address(mac.to_vec()));
    create("RTM_NEWLINK macvlan", birth.name, message)
}

/// Makes an ipvlan interface on a parent of this namespace.
pub fn add_ipvlan(parent: &str, birth: Birth<'_>, mode: Ipvlan) -> Result<(), SysError> {
    let mode = match mode {
        Ipvlan::L2 => IpVlanMode::L2,
        Ipvlan::L3 => IpVlanMode::L3,
        Ipvlan::L3s => IpVlanMode::L3S,
    };
    let data = InfoData::IpVlan(vec![InfoIpVlan::Mode(mode)]);
    let message = child(parent, birth, InfoKind::IpVlan, data)?;
    create("RTM_NEWLINK ipvlan", birth.name, message)
}

fn child(
    parent: &str,
    birth: Birth<'_>,
    kind: InfoKind,
    data: InfoData,
) -> Result<LinkMessage, SysError> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(birth.name.to_owned()),
        LinkAttribute::Link(expect(parent)?),
        LinkAttribute::NetNsFd(birth.namespace.as_raw_fd()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)]),
    ];
    Ok(message)
}

/// Makes an interface that is one 802.1q VLAN of its parent.
pub fn add_vlan(parent: &str, name: &str, id: u16) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Link(expect(parent)?),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Vlan),
            LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(id)])),
        ]),
    ];
    create("RTM_NEWLINK vlan", name, message)
}

/// Makes a dummy interface: a parent that leads nowhere.
pub fn add_dummy(name: &str) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Dummy)]),
    ];
    create("RTM_NEWLINK dummy", name, message)
}

/// Makes a WireGuard interface without keys and peers.
pub fn add_wireguard(name: &str) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Wireguard)]),
    ];
    create("RTM_NEWLINK wireguard", name, message)
}

/// A VXLAN interface: frames in UDP between hosts.
#[derive(Clone, Copy, Debug)]
pub struct Vxlan {
    /// The network's number, 24 bits.
    pub id: u32,
    /// This host's address, where the others send to.
    pub local: IpAddr,
    /// UDP port; 4789 is the standard one.
    pub port: u16,
}

/// Makes a VXLAN interface that learns nothing by itself: its tables are written.
pub fn add_vxlan(name: &str, vxlan: Vxlan, bridge: &str, mtu: Option<u32>) -> Result<(), SysError> {
    let mut message = LinkMessage::default();
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Vxlan),
            LinkInfo::Data(InfoData::Vxlan(vec![
                InfoVxlan::Id(vxlan.id),
                match vxlan.local {
                    IpAddr::V4(local) => InfoVxlan::Local(local),
                    IpAddr::V6(local) => InfoVxlan::Local6(local),
                },
                InfoVxlan::Port(vxlan.port),
                InfoVxlan::Learning(false),
                InfoVxlan::Proxy(true),
            ])),
        ]),
        LinkAttribute::Controller(expect(bridge)?),
    ];
    message.attributes.extend(mtu.map(LinkAttribute::Mtu));
    create("RTM_NEWLINK vxlan", name, message)
}

fn create(call: &'static str, name: &str, message: LinkMessage) -> Result<(), SysError> {
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    request(call, NewLink(message), flags).map_err(|e| e.on(name))
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

//! The bridge driver: one bridge per network, one veth pair per container.

use std::io::ErrorKind;
use std::net::IpAddr;

use kernel::netlink::address;
use kernel::netlink::link::{self, Peer, PortMode};
use serde::{Deserialize, Serialize};

use super::endpoint::{Endpoint, configure, free_name};
use super::inside::{Namespace, inside};
use super::ipam::Addressing;
use super::{NetworkError, parameter, step};
use crate::stage::Stage;

/// A bridge network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeNetwork {
    /// What its maker chose.
    pub settings: BridgeSettings,
    /// Whether its containers reach other networks.
    pub reach: Reach,
    /// Its addresses, one entry per family.
    pub addressing: Vec<Addressing>,
}

/// What can be chosen about a bridge, beside its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeSettings {
    /// Name of the interface, at most 15 bytes: `docker0`, `br-<12 digits>`.
    pub interface: String,
    /// Whether its containers reach each other.
    #[serde(default)]
    pub between: Between,
    /// Whether what leaves seems to come from the host.
    #[serde(default)]
    pub masquerade: Masquerade,
    /// Size of the largest packet, bytes.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// Where ports are published when nobody says where.
    #[serde(default)]
    pub host_address: Option<IpAddr>,
}

impl BridgeSettings {
    /// The usual ones, for an interface of this name.
    pub fn named(interface: impl Into<String>) -> Self {
        Self {
            interface: interface.into(),
            between: Between::Open,
            masquerade: Masquerade::On,
            mtu: None,
            host_address: None,
        }
    }
}

/// Whether containers of a network reach other networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Through the gateway.
    #[default]
    Outside,
    /// Only each other (`--internal`): no default route.
    Internal,
}

/// Whether containers of one network reach each other (`enable_icc`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Between {
    /// They do.
    #[default]
    Open,
    /// Only the outside.
    Closed,
}

/// Whether what leaves seems to come from the host (`enable_ip_masquerade`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Masquerade {
    /// It does.
    #[default]
    On,
    /// The world must know a way back.
    Off,
}

/// Makes the bridge, gives it its addresses and turns forwarding on; does nothing that is done.
pub fn create(stage: &Stage, network: &BridgeNetwork) -> Result<(), NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        create_here(&network.settings, &network.addressing)
    })
}

/// The same, in this thread's namespace.
pub(super) fn create_here(
    settings: &BridgeSettings,
    addressing: &[Addressing],
) -> Result<(), NetworkError> {
    let name = settings.interface.as_str();
    let new = link::index(name).is_none();
    if new {
        link::add_bridge(name).map_err(step(format!("create bridge {name}")))?;
    }
    let made = dress(settings, addressing);
    if made.is_err() && new {
        // The first failure is the one worth telling.
        let _ = link::delete(name);
    }
    made
}

fn dress(settings: &BridgeSettings, addressing: &[Addressing]) -> Result<(), NetworkError> {
    let name = settings.interface.as_str();
    if let Some(mtu) = settings.mtu {
        link::set_mtu(name, mtu).map_err(step(format!("set the MTU of bridge {name}")))?;
    }
    for family in addressing {
        if family.gateway.is_ipv6() {
            parameter::set(&format!("net/ipv6/conf/{name}/disable_ipv6"), "0")?;
            parameter::set("net/ipv6/conf/all/forwarding", "1")?;
        } else {
            // So that the machine itself reaches published ports at 127.0.0.1.
            parameter::set(&format!("net/ipv4/conf/{name}/route_localnet"), "1")?;
            parameter::set("net/ipv4/ip_forward", "1")?;
        }
        match address::add(name, family.gateway, family.subnet.prefix()) {
            Err(e) if e.source.kind() == ErrorKind::AlreadyExists => {}
            other => other.map_err(step(format!("give bridge {name} its address")))?,
        }
    }
    link::set_up(name).map_err(step(format!("turn on bridge {name}")))
}

/// Removes the bridge; does nothing if there is none.
pub fn remove(stage: &Stage, network: &BridgeNetwork) -> Result<(), NetworkError> {
    remove_link(stage, &network.settings.interface)
}

/// Removes an interface of the stage; does nothing if there is none.
pub(crate) fn remove_link(stage: &Stage, name: &str) -> Result<(), NetworkError> {
    inside(&Namespace::of_stage(stage)?, || match link::index(name) {
        None => Ok(()),
        Some(_) => match link::delete(name) {
            // It went at this very moment, with its container.
            Err(_) if link::index(name).is_none() => Ok(()),
            other => other.map_err(step(format!("remove {name}"))),
        },
    })
}

/// Connects a prepared container, named by its `engine_pid`, to the network. Gives the endpoint with the interface's
/// name: the first `ethN` that was free.
pub fn attach(
    stage: &Stage,
    network: &BridgeNetwork,
    engine_pid: u32,
    endpoint: Endpoint,
) -> Result<Endpoint, NetworkError> {
    plug(
        stage,
        &network.settings,
        &network.addressing,
        engine_pid,
        endpoint,
    )
}

/// Makes the pair between a container and a bridge, which is made again if somebody removed it.
pub(super) fn plug(
    stage: &Stage,
    settings: &BridgeSettings,
    addressing: &[Addressing],
    engine_pid: u32,
    mut endpoint: Endpoint,
) -> Result<Endpoint, NetworkError> {
    let container = Namespace::of_process(engine_pid)?;
    endpoint.interface = free_name(&container)?;
    let host_end = endpoint.host_interface.as_str();
    let bridge = settings.interface.as_str();
    inside(&Namespace::of_stage(stage)?, || {
        if link::index(bridge).is_none() {
            create_here(settings, addressing)?;
        }
        let peer = Peer {
            name: &endpoint.interface,
            mac: endpoint.mac,
            namespace: container.fd(),
        };
        link::add_veth_port(host_end, &peer, bridge, endpoint.mtu)
            .map_err(step(format!("connect {host_end} to {bridge}")))?;
        parameter::set_if_present(&format!("net/ipv6/conf/{host_end}/disable_ipv6"), "1")?;
        // A container reaches its own published port through the host.
        let modes: &[PortMode] = match settings.between {
            Between::Open => &[PortMode::Hairpin],
            Between::Closed => &[PortMode::Hairpin, PortMode::Isolated],
        };
        link::set_port(host_end, modes).map_err(step(format!("set the modes of {host_end}")))
    })?;
    let result = inside(&container, || configure(&endpoint));
    if result.is_err() {
        // The pair would otherwise stay until the container ends.
        let _ = detach(stage, &endpoint);
    }
    result.map(|()| endpoint)
}

/// Disconnects a container that still runs; at its end the pair goes by itself.
pub fn detach(stage: &Stage, endpoint: &Endpoint) -> Result<(), NetworkError> {
    remove_link(stage, &endpoint.host_interface)
}

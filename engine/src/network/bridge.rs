//! The bridge driver: one bridge per network, one veth pair per container.

use std::net::Ipv4Addr;

use kernel::error::SysError;
use kernel::netlink::link::{self, Peer};
use kernel::netlink::{address, route};
use serde::{Deserialize, Serialize};

use super::inside::{Namespace, inside};
use super::ipam::Subnet;
use super::{NetworkError, step};
use crate::stage::Stage;

/// A bridge network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeNetwork {
    /// Name of the interface, at most 15 bytes: `docker0`, `br-<12 digits>`.
    pub interface: String,
    /// Its addresses.
    pub subnet: Subnet,
    /// The bridge's own address.
    pub gateway: Ipv4Addr,
    /// Whether its containers reach other networks.
    pub reach: Reach,
}

/// Whether containers of a network reach other networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Through the gateway, masqueraded.
    #[default]
    Outside,
    /// Only each other (`--internal`): no default route.
    Internal,
}

/// A container's place in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Name of the host's end, at most 15 bytes: `veth` and some digits, unique in the stage.
    pub host_interface: String,
    /// Name inside the container: `eth0`.
    pub interface: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its MAC address; [`mac_of`] is the usual one.
    pub mac: [u8; 6],
}

/// Docker's MAC address of an IPv4 address.
pub fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

/// Makes the bridge, gives it its address and turns forwarding on; does nothing that is done.
pub fn create(stage: &Stage, network: &BridgeNetwork) -> Result<(), NetworkError> {
    inside(&Namespace::of_stage(stage)?, || create_here(network))
}

fn create_here(network: &BridgeNetwork) -> Result<(), NetworkError> {
    let name = network.interface.as_str();
    if link::index(name).is_none() {
        link::add_bridge(name).map_err(step(format!("create bridge {name}")))?;
    }
    match address::add(name, network.gateway, network.subnet.prefix()) {
        Err(e) if e.source.kind() == std::io::ErrorKind::AlreadyExists => {}
        other => other.map_err(step(format!("give bridge {name} its address")))?,
    }
    link::set_up(name).map_err(step(format!("turn on bridge {name}")))?;
    // So that the machine itself reaches published ports at 127.0.0.1.
    let local = format!("net/ipv4/conf/{name}/route_localnet");
    for parameter in ["net/ipv4/ip_forward", &local] {
        set_parameter(parameter).map_err(step(format!("set {parameter}")))?;
    }
    Ok(())
}

/// `/proc/sys/net` is that of the thread which opens the file.
fn set_parameter(name: &str) -> Result<(), SysError> {
    let path = format!("/proc/sys/{name}");
    if std::fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1") {
        return Ok(());
    }
    std::fs::write(&path, "1").map_err(|e| SysError::io("write", e).on(path))
}

/// Removes the bridge; does nothing if there is none.
pub fn remove(stage: &Stage, network: &BridgeNetwork) -> Result<(), NetworkError> {
    let name = network.interface.as_str();
    inside(&Namespace::of_stage(stage)?, || match link::index(name) {
        None => Ok(()),
        Some(_) => link::delete(name).map_err(step(format!("remove bridge {name}"))),
    })
}

/// Connects a prepared container, named by its `engine_pid`, to the network.
pub fn attach(
    stage: &Stage,
    network: &BridgeNetwork,
    engine_pid: u32,
    endpoint: &Endpoint,
) -> Result<(), NetworkError> {
    let container = Namespace::of_process(engine_pid)?;
    let host_end = endpoint.host_interface.as_str();
    inside(&Namespace::of_stage(stage)?, || {
        let peer = Peer {
            name: &endpoint.interface,
            mac: endpoint.mac,
            namespace: container.fd(),
        };
        link::add_veth(host_end, &peer).map_err(step(format!("create veth {host_end}")))?;
        let joined = link::set_controller(host_end, &network.interface)
            .and_then(|()| link::set_up(host_end));
        joined.map_err(|e| {
            let _ = link::delete(host_end);
            step(format!("connect {host_end} to {}", network.interface))(e)
        })
    })?;
    let result = inside(&container, || configure(network, endpoint));
    if result.is_err() {
        // The pair would otherwise stay until the container ends.
        let _ = detach(stage, endpoint);
    }
    result
}

/// Inside the container: addresses and routes.
fn configure(network: &BridgeNetwork, endpoint: &Endpoint) -> Result<(), NetworkError> {
    let name = endpoint.interface.as_str();
    link::set_up("lo").map_err(step("turn on lo"))?;
    address::add(name, endpoint.address, network.subnet.prefix()).map_err(step(format!(
        "give {name} the address {}",
        endpoint.address
    )))?;
    link::set_up(name).map_err(step(format!("turn on {name}")))?;
    if network.reach == Reach::Outside {
        match route::add_default(network.gateway) {
            // A second network: the first one's gateway stays the way out.
            Err(e) if e.source.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other.map_err(step("set the default route"))?,
        }
    }
    Ok(())
}

/// Disconnects a container that still runs; at its end the pair goes by itself.
pub fn detach(stage: &Stage, endpoint: &Endpoint) -> Result<(), NetworkError> {
    let name = endpoint.host_interface.as_str();
    inside(&Namespace::of_stage(stage)?, || match link::index(name) {
        None => Ok(()),
        Some(_) => link::delete(name).map_err(step(format!("remove veth {name}"))),
    })
}

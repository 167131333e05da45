//! The bridge driver: one bridge per network, one veth pair per container.

use std::net::Ipv4Addr;

use kernel::error::SysError;
use serde::{Deserialize, Serialize};

use super::ipam::Subnet;

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

/// A step on a network that failed.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A namespace cannot be entered or opened.
    #[error("cannot enter the network namespace {path}")]
    Namespace {
        /// Which.
        path: String,
        /// Why.
        source: SysError,
    },
    /// A request of the kernel failed.
    #[error("cannot {step}")]
    Kernel {
        /// What was to be done: `create bridge docker0`.
        step: String,
        /// Why.
        source: SysError,
    },
}

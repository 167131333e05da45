//! The ipvlan driver: containers share the parent's MAC address and have IP addresses of their own.

use kernel::netlink::link::{self, Birth, Ipvlan};
use serde::{Deserialize, Serialize};

use super::NetworkError;
use super::endpoint::{Endpoint, free_name};
use super::inside::{Namespace, inside};
use super::macvlan::finish;
use super::parent::{Parent, lacking};
use crate::stage::Stage;

/// What can be chosen about an ipvlan network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpvlanSettings {
    /// Where it stands.
    pub parent: Parent,
    /// What decides where a packet goes.
    pub mode: Mode,
}

/// What decides where a packet goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// ARP, as between neighbours.
    #[default]
    L2,
    /// The host's routes; nothing is broadcast.
    L3,
    /// The same, and the host's packet rules see it.
    L3s,
}

impl Mode {
    /// Reads the value of `ipvlan_mode`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "l2" => Some(Self::L2),
            "l3" => Some(Self::L3),
            "l3s" => Some(Self::L3s),
            _ => None,
        }
    }
}

/// Connects a prepared container; gives the endpoint with the interface's name. `macvlan::detach` disconnects it.
pub fn attach(
    stage: &Stage,
    settings: &IpvlanSettings,
    engine_pid: u32,
    mut endpoint: Endpoint,
) -> Result<Endpoint, NetworkError> {
    let container = Namespace::of_process(engine_pid)?;
    endpoint.interface = free_name(&container)?;
    let mode = match settings.mode {
        Mode::L2 => Ipvlan::L2,
        Mode::L3 => Ipvlan::L3,
        Mode::L3s => Ipvlan::L3s,
    };
    inside(&Namespace::of_stage(stage)?, || {
        let birth = Birth {
            name: &endpoint.interface,
            namespace: container.fd(),
        };
        link::add_ipvlan(&settings.parent.name, birth, mode)
            .map_err(lacking("ipvlan (CONFIG_IPVLAN)", &endpoint.interface))
    })?;
    finish(&container, endpoint)
}

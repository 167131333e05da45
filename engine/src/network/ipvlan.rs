//! The ipvlan driver: containers share the parent's MAC address and have IP addresses of their own.

use kernel::netlink::link::{self, Ipvlan};
use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use super::parent::Parent;
use super::{NetworkError, child};
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

/// Connects a prepared container; gives the endpoint with the interface's name.
pub fn attach(
    stage: &Stage,
    settings: &IpvlanSettings,
    engine_pid: u32,
    endpoint: Endpoint,
) -> Result<Endpoint, NetworkError> {
    let mode = match settings.mode {
        Mode::L2 => Ipvlan::L2,
        Mode::L3 => Ipvlan::L3,
        Mode::L3s => Ipvlan::L3s,
    };
    let feature = "ipvlan (CONFIG_IPVLAN)";
    child::attach(stage, engine_pid, endpoint, feature, |birth, _| {
        link::add_ipvlan(&settings.parent.name, birth, mode)
    })
}

//! The macvlan driver: each container is a machine of its own on the parent's link, with its own MAC address.
//!
//! The host itself does not see these containers on the parent: a property of the kernel's macvlan, not a rule.

use kernel::netlink::link::{self, Macvlan};
use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use super::parent::Parent;
use super::{NetworkError, child};
use crate::stage::Stage;

/// What can be chosen about a macvlan network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacvlanSettings {
    /// Where it stands.
    pub parent: Parent,
    /// How its containers see each other.
    pub mode: Mode,
}

/// How the containers of a macvlan network see each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Directly.
    #[default]
    Bridge,
    /// Not at all.
    Private,
    /// Through a switch that sends back.
    Vepa,
    /// There is only one container, and the parent is its own.
    Passthru,
}

impl Mode {
    /// Reads the value of `macvlan_mode`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "bridge" => Some(Self::Bridge),
            "private" => Some(Self::Private),
            "vepa" => Some(Self::Vepa),
            "passthru" => Some(Self::Passthru),
            _ => None,
        }
    }
}

/// Connects a prepared container; gives the endpoint with the interface's name.
pub fn attach(
    stage: &Stage,
    settings: &MacvlanSettings,
    engine_pid: u32,
    endpoint: Endpoint,
) -> Result<Endpoint, NetworkError> {
    let mode = match settings.mode {
        Mode::Bridge => Macvlan::Bridge,
        Mode::Private => Macvlan::Private,
        Mode::Vepa => Macvlan::Vepa,
        Mode::Passthru => Macvlan::Passthru,
    };
    let feature = "macvlan (CONFIG_MACVLAN)";
    child::attach(stage, engine_pid, endpoint, feature, |birth, mac| {
        link::add_macvlan(&settings.parent.name, birth, mac, mode)
    })
}

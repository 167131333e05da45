//! The macvlan driver: each container is a machine of its own on the parent's link, with its own MAC address.
//!
//! The host itself does not see these containers on the parent: a property of the kernel's macvlan, not a rule.

use kernel::netlink::link::{self, Birth, Macvlan};
use serde::{Deserialize, Serialize};

use super::endpoint::{Endpoint, configure, free_name};
use super::inside::{Namespace, inside};
use super::parent::{Parent, lacking};
use super::{NetworkError, step};
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
    mut endpoint: Endpoint,
) -> Result<Endpoint, NetworkError> {
    let container = Namespace::of_process(engine_pid)?;
    endpoint.interface = free_name(&container)?;
    let mode = match settings.mode {
        Mode::Bridge => Macvlan::Bridge,
        Mode::Private => Macvlan::Private,
        Mode::Vepa => Macvlan::Vepa,
        Mode::Passthru => Macvlan::Passthru,
    };
    inside(&Namespace::of_stage(stage)?, || {
        let birth = Birth {
            name: &endpoint.interface,
            namespace: container.fd(),
        };
        link::add_macvlan(&settings.parent.name, birth, endpoint.mac, mode)
            .map_err(lacking("macvlan (CONFIG_MACVLAN)", &endpoint.interface))
    })?;
    finish(&container, endpoint)
}

/// Addresses and routes of an interface that was born in the container; none is left after a failure.
pub(super) fn finish(container: &Namespace, endpoint: Endpoint) -> Result<Endpoint, NetworkError> {
    let configured = inside(container, || {
        configure(&endpoint).inspect_err(|_| {
            // The first failure is the one worth telling.
            let _ = link::delete(&endpoint.interface);
        })
    });
    configured.map(|()| endpoint)
}

/// Disconnects a container that still runs; at its end the interface goes by itself.
pub fn detach(engine_pid: u32, endpoint: &Endpoint) -> Result<(), NetworkError> {
    let name = endpoint.interface.as_str();
    inside(&Namespace::of_process(engine_pid)?, || {
        match link::index(name) {
            None => Ok(()),
            Some(_) => link::delete(name).map_err(step(format!("remove {name}"))),
        }
    })
}

//! The overlay driver: on each host a bridge for the containers there, and a VXLAN interface (RFC 7348) that carries
//! their frames to the other hosts.
//!
//! Nothing is asked around: for each container of another host the daemon writes who has which address and behind which
//! host it is. The VXLAN interface answers ARP and neighbour solicitations from these entries; other broadcasts stay on
//! their host. What somebody added by hand is left alone.

use std::collections::BTreeSet;
use std::net::IpAddr;

use kernel::netlink::address;
use kernel::netlink::link::{self, Vxlan};
use kernel::netlink::neighbour;
use serde::{Deserialize, Serialize};

pub use kernel::netlink::neighbour::Entry;

use super::bridge::{self, BridgeNetwork, BridgeSettings};
use super::endpoint::Endpoint;
use super::inside::{Namespace, inside};
use super::parent::lacking;
use super::{NetworkError, encryption, step};
use crate::stage::Stage;

/// The UDP port of VXLAN, RFC 7348.
const PORT: u16 = 4789;

/// What a frame grows by on its way: outer IPv4, UDP and VXLAN heads, and the inner Ethernet head, bytes.
const HEADS: u32 = 50;

/// What can be chosen about an overlay network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlaySettings {
    /// Its number in every frame between hosts (VNI), 24 bits.
    pub vni: u32,
    /// The bridge on each host.
    pub bridge: BridgeSettings,
    /// Whether what goes between hosts is encrypted.
    #[serde(default)]
    pub secrecy: Secrecy,
}

/// Whether what goes between hosts is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secrecy {
    /// Whoever is on the way reads it.
    #[default]
    Open,
    /// By IPsec.
    Encrypted,
}

impl OverlaySettings {
    /// The usual ones for a network of this id.
    pub fn of(id: &str, vni: u32) -> Self {
        Self {
            vni,
            bridge: BridgeSettings::named(format!("ov-{}", &id[..12])),
            secrecy: Secrecy::Open,
        }
    }

    /// Name of the VXLAN interface: that of the bridge with another beginning.
    pub fn vxlan(&self) -> String {
        self.bridge.interface.replacen("ov-", "vx-", 1)
    }
}

/// The address of an interface of the stage, an IPv4 one if it has any.
pub fn address_of(stage: &Stage, interface: &str) -> Result<Option<IpAddr>, NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        let all =
            address::list(interface).map_err(step(format!("read the addresses of {interface}")))?;
        let usable = |a: &&IpAddr| match a {
            IpAddr::V4(_) => true,
            IpAddr::V6(a) => !a.is_unicast_link_local(),
        };
        let mut usable = all.iter().filter(usable);
        let first = usable.clone().find(|a| a.is_ipv4());
        Ok(first.or_else(|| usable.next()).copied())
    })
}

/// The largest packet of containers that fits into one of the interface with this address; the usual one if no
/// interface has it.
pub fn usual_mtu(stage: &Stage, vtep: IpAddr, secrecy: Secrecy) -> Result<u32, NetworkError> {
    const USUAL: u32 = 1500;
    inside(&Namespace::of_stage(stage)?, || {
        let names = link::names().map_err(step("read the interfaces of the host"))?;
        let below = names.iter().find(|name| {
            // One that has just gone has no address.
            address::list(name).is_ok_and(|all| all.contains(&vtep))
        });
        let mtu = below.and_then(|name| link::mtu(name).ok());
        let heads = if vtep.is_ipv4() { HEADS } else { HEADS + 20 };
        let grown = match secrecy {
            Secrecy::Open => heads,
            Secrecy::Encrypted => heads + encryption::GROWTH,
        };
        Ok(mtu.unwrap_or(USUAL).saturating_sub(grown).max(68))
    })
}

/// Makes the bridge and the VXLAN interface; does nothing that is done. An interface that sends from another address
/// than `vtep` is made anew.
pub fn create(
    stage: &Stage,
    settings: &OverlaySettings,
    network: &BridgeNetwork,
    vtep: IpAddr,
) -> Result<(), NetworkError> {
    let name = settings.vxlan();
    inside(&Namespace::of_stage(stage)?, || {
        bridge::create_here(&settings.bridge, &network.addressing)?;
        if link::index(&name).is_some() {
            match link::vxlan_local(&name) {
                Ok(Some(local)) if local == vtep => return Ok(()),
                _ => link::delete(&name).map_err(step(format!("remove {name}")))?,
            }
        }
        let vxlan = Vxlan {
            id: settings.vni,
            local: vtep,
            port: match settings.secrecy {
                Secrecy::Open => PORT,
                Secrecy::Encrypted => encryption::PORT,
            },
        };
        link::add_vxlan(
            &name,
            vxlan,
            &settings.bridge.interface,
            settings.bridge.mtu,
        )
        .map_err(lacking("VXLAN (CONFIG_VXLAN)", &name))
    })
}

/// Removes both; does nothing if there are none.
pub fn remove(stage: &Stage, settings: &OverlaySettings) -> Result<(), NetworkError> {
    bridge::remove_link(stage, &settings.vxlan())?;
    bridge::remove_link(stage, &settings.bridge.interface)
}

/// Whether the network has its interfaces on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has.
    Here,
    /// No container of this host has been in it yet.
    Absent,
}

/// Writes the entries that are wanted, and removes those that were written before and are not; `known` are the latter,
/// where the caller knows them.
pub fn write(
    stage: &Stage,
    settings: &OverlaySettings,
    known: Option<&BTreeSet<Entry>>,
    wanted: &BTreeSet<Entry>,
) -> Result<Presence, NetworkError> {
    let name = settings.vxlan();
    inside(&Namespace::of_stage(stage)?, || {
        if link::index(&name).is_none() {
            return Ok(Presence::Absent);
        }
        let found;
        let known = match known {
            Some(known) => known,
            None => {
                let read = neighbour::written(&name);
                found = read
                    .map_err(step(format!("read the entries of {name}")))?
                    .into_iter()
                    .collect();
                &found
            }
        };
        for entry in known.difference(wanted) {
            // Somebody may have removed it by hand.
            if let Err(error) = neighbour::unset(&name, *entry)
                && !matches!(error.source.kind(), std::io::ErrorKind::NotFound)
            {
                return Err(step(format!("forget an entry of {name}"))(error));
            }
        }
        for entry in wanted.difference(known) {
            neighbour::set(&name, *entry).map_err(step(format!("write an entry of {name}")))?;
        }
        Ok(Presence::Here)
    })
}

/// Connects a prepared container of this host; the network's interfaces are there.
pub fn attach(
    stage: &Stage,
    settings: &OverlaySettings,
    network: &BridgeNetwork,
    engine_pid: u32,
    endpoint: Endpoint,
) -> Result<Endpoint, NetworkError> {
    bridge::plug(
        stage,
        &settings.bridge,
        &network.addressing,
        engine_pid,
        endpoint,
    )
}

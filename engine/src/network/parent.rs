//! The interface of the host that macvlan and ipvlan networks stand on.

use kernel::error::SysError;
use kernel::netlink::link;
use serde::{Deserialize, Serialize};

use super::inside::{Namespace, inside};
use super::{NetworkError, bridge, step};
use crate::stage::Stage;

/// An interface of the host, and what it takes to have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a parent interface comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// It was there, and stays.
    Found,
    /// One 802.1q VLAN of another interface, made and removed with the network.
    Vlan {
        /// The interface below.
        of: String,
        /// The number in its frames, 1 to 4094.
        id: u16,
    },
    /// It leads nowhere, made and removed with the network.
    Dummy,
}

/// A parent that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParentError {
    /// There is no such interface, and the name does not ask for a VLAN.
    #[error("invalid subinterface vlan name {0}, example formatting is eth0.10")]
    Missing(String),
    /// The VLAN's interface is not there.
    #[error("failed to get parent interface {0}: no such interface on this host")]
    NoBase(String),
}

impl Parent {
    /// Decides where the interface comes from: `found` tells which ones are there.
    pub fn of(name: &str, found: impl Fn(&str) -> bool) -> Result<Self, ParentError> {
        let parent = |origin| Self {
            name: name.to_owned(),
            origin,
        };
        if found(name) {
            return Ok(parent(Origin::Found));
        }
        let missing = || ParentError::Missing(name.to_owned());
        let (of, id) = name.rsplit_once('.').ok_or_else(missing)?;
        let id: u16 = id.parse().map_err(|_| missing())?;
        if !(1..=4094).contains(&id) {
            return Err(missing());
        }
        if !found(of) {
            return Err(ParentError::NoBase(of.to_owned()));
        }
        Ok(parent(Origin::Vlan {
            of: of.to_owned(),
            id,
        }))
    }
}

/// Makes the interface if it is missing, and turns it on.
pub fn create(stage: &Stage, parent: &Parent) -> Result<(), NetworkError> {
    let name = parent.name.as_str();
    inside(&Namespace::of_stage(stage)?, || {
        if link::index(name).is_none() {
            match &parent.origin {
                Origin::Found => {}
                Origin::Vlan { of, id } => link::add_vlan(of, name, *id)
                    .map_err(lacking("802.1q VLANs (CONFIG_VLAN_8021Q)", name))?,
                Origin::Dummy => link::add_dummy(name)
                    .map_err(lacking("dummy interfaces (CONFIG_DUMMY)", name))?,
            }
        }
        link::set_up(name).map_err(step(format!("turn on {name}")))
    })
}

/// Removes the interface if it was made for the network.
pub fn remove(stage: &Stage, parent: &Parent) -> Result<(), NetworkError> {
    match parent.origin {
        Origin::Found => Ok(()),
        Origin::Vlan { .. } | Origin::Dummy => bridge::remove_link(stage, &parent.name),
    }
}

/// Tells a kernel that does not know a kind of interface from one that refuses to make it.
pub(super) fn lacking(feature: &'static str, name: &str) -> impl FnOnce(SysError) -> NetworkError {
    const NOT_SUPPORTED: i32 = 95;
    let step = step(format!("create {name}"));
    move |error| match error.source.raw_os_error() {
        Some(NOT_SUPPORTED) => NetworkError::Lacking { feature },
        _ => step(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_or_a_vlan_of_one() {
        let found = |name: &str| name == "eth0";
        assert_eq!(Parent::of("eth0", found).unwrap().origin, Origin::Found);
        let vlan = Origin::Vlan {
            of: "eth0".into(),
            id: 10,
        };
        assert_eq!(Parent::of("eth0.10", found).unwrap().origin, vlan);
        for bad in ["eth1", "eth1.10", "eth0.0", "eth0.4095", "eth0.x"] {
            assert!(Parent::of(bad, found).is_err(), "{bad}");
        }
    }
}

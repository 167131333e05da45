//! Which driver a request asks for, and its options.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::api::types::CreateNetwork;
use crate::network::bridge::{Between, BridgeSettings, Masquerade};
use crate::network::ipvlan::{self, IpvlanSettings};
use crate::network::macvlan::{self, MacvlanSettings};
use crate::network::overlay::{OverlaySettings, Secrecy};
use crate::network::parent::{Origin, Parent};

use super::super::DaemonError;
use super::change::OVERLAY;
use super::record::Driver;
use super::request::Surroundings;

/// Decides: the driver with its settings.
pub(super) fn driver(
    request: &CreateNetwork,
    around: &Surroundings<'_>,
    id: &str,
) -> Result<Driver, DaemonError> {
    let options = &request.options;
    let driver = match request.driver.as_str() {
        "macvlan" => Driver::Macvlan(macvlan_settings(options, around, id)?),
        "ipvlan" => Driver::Ipvlan(ipvlan_settings(options, around, id)?),
        OVERLAY => Driver::Overlay(overlay_settings(options, around, id)?),
        _ => Driver::Bridge(bridge_settings(options, id)?),
    };
    check_driver(&driver, around, id)?;
    Ok(driver)
}

/// Numbers below are left to networks that are made by hand; Docker's first one.
const FIRST_VNI: u32 = 256;

fn overlay_settings(
    options: &BTreeMap<String, String>,
    around: &Surroundings<'_>,
    id: &str,
) -> Result<OverlaySettings, DaemonError> {
    let taken = |vni: u32| {
        around
            .records
            .iter()
            .find(|record| matches!(&record.driver, Driver::Overlay(theirs) if theirs.vni == vni))
    };
    let first_free = || (FIRST_VNI..1 << 24).find(|vni| taken(*vni).is_none());
    let full = || DaemonError::Forbidden("all VXLAN numbers are taken".into());
    let mut settings = OverlaySettings::of(id, 0);
    for (option, value) in options {
        match option.as_str() {
            "com.docker.network.driver.overlay.vxlanid_list" => {
                settings.vni = vni(option, value)?;
                if let Some(other) = taken(settings.vni) {
                    return Err(DaemonError::Forbidden(format!(
                        "the VXLAN number {} is that of network {}",
                        settings.vni, other.name
                    )));
                }
            }
            "com.docker.network.driver.mtu" => settings.bridge.mtu = mtu(option, value)?,
            // Docker takes the option without a value as a yes.
            "encrypted" if value.is_empty() || truth(option, value)? => {
                settings.secrecy = Secrecy::Encrypted;
            }
            "encrypted" => {}
            other if other.starts_with("com.docker.network.") => {
                return Err(DaemonError::Unsupported(format!("the option {other}")));
            }
            _ => {}
        }
    }
    if settings.vni == 0 {
        settings.vni = first_free().ok_or_else(full)?;
    }
    Ok(settings)
}

/// One VXLAN number: an overlay of ours has one for all its subnets.
fn vni(option: &str, value: &str) -> Result<u32, DaemonError> {
    match value.parse() {
        Ok(vni @ 1..0x100_0000) => Ok(vni),
        _ => Err(DaemonError::Invalid(format!(
            "invalid {option} {value:?}: one number between 1 and 16777215"
        ))),
    }
}

fn macvlan_settings(
    options: &BTreeMap<String, String>,
    around: &Surroundings<'_>,
    id: &str,
) -> Result<MacvlanSettings, DaemonError> {
    let mode = options.get("macvlan_mode").map_or("", String::as_str);
    let unknown = || DaemonError::Invalid(format!("unknown macvlan mode: {mode}"));
    Ok(MacvlanSettings {
        parent: parent(options, around, &format!("dm-{}", &id[..12]))?,
        mode: macvlan::Mode::parse(mode).ok_or_else(unknown)?,
    })
}

fn ipvlan_settings(
    options: &BTreeMap<String, String>,
    around: &Surroundings<'_>,
    id: &str,
) -> Result<IpvlanSettings, DaemonError> {
    match options.get("ipvlan_flag").map(String::as_str) {
        None | Some("" | "bridge") => {}
        Some(flag) => {
            return Err(DaemonError::Unsupported(format!(
                "the option ipvlan_flag={flag}"
            )));
        }
    }
    let mode = options.get("ipvlan_mode").map_or("", String::as_str);
    let unknown = || DaemonError::Invalid(format!("unknown ipvlan mode: {mode}"));
    Ok(IpvlanSettings {
        parent: parent(options, around, &format!("di-{}", &id[..12]))?,
        mode: ipvlan::Mode::parse(mode).ok_or_else(unknown)?,
    })
}

/// `-o parent=eth0`, or an interface that leads nowhere.
fn parent(
    options: &BTreeMap<String, String>,
    around: &Surroundings<'_>,
    dummy: &str,
) -> Result<Parent, DaemonError> {
    match options.get("parent").map(String::as_str) {
        None | Some("") => Ok(Parent {
            name: dummy.to_owned(),
            origin: Origin::Dummy,
        }),
        Some(name) => {
            // A VLAN that another network made is that network's to remove.
            let found = |name: &str| around.interfaces.iter().any(|known| known == name);
            Parent::of(name, found).map_err(|error| DaemonError::Invalid(error.to_string()))
        }
    }
}

/// Two networks on one interface would undo each other.
fn check_driver(driver: &Driver, around: &Surroundings<'_>, id: &str) -> Result<(), DaemonError> {
    let settings = match driver {
        Driver::Bridge(settings) => settings,
        Driver::Macvlan(MacvlanSettings { parent, .. })
        | Driver::Ipvlan(IpvlanSettings { parent, .. }) => return check_parent(parent, around),
        Driver::Overlay(_) | Driver::Host | Driver::Null => return Ok(()),
    };
    let name = &settings.interface;
    if name.len() > 15 || name.contains(['/', ' ']) || matches!(name.as_str(), "." | "..") {
        return Err(DaemonError::Invalid(format!(
            "invalid bridge name {name:?}: at most 15 characters, no slash and no space"
        )));
    }
    for other in around.records {
        if matches!(&other.driver, Driver::Bridge(theirs) if theirs.interface == *name) {
            return Err(DaemonError::Forbidden(format!(
                "cannot create network {id} ({name}): conflicts with network {} ({name}): networks have same bridge name",
                other.id
            )));
        }
    }
    Ok(())
}

fn check_parent(parent: &Parent, around: &Surroundings<'_>) -> Result<(), DaemonError> {
    let user = around
        .records
        .iter()
        .find(|record| record.parent().is_some_and(|p| p.name == parent.name));
    match user {
        Some(other) => Err(DaemonError::Forbidden(format!(
            "network {} is already using parent interface {}",
            other.id, parent.name
        ))),
        None => Ok(()),
    }
}

fn bridge_settings(
    options: &BTreeMap<String, String>,
    id: &str,
) -> Result<BridgeSettings, DaemonError> {
    let mut settings = BridgeSettings::named(format!("br-{}", &id[..12]));
    for (option, value) in options {
        match option.as_str() {
            "com.docker.network.bridge.name" => settings.interface.clone_from(value),
            "com.docker.network.bridge.enable_icc" => {
                settings.between = if truth(option, value)? {
                    Between::Open
                } else {
                    Between::Closed
                };
            }
            "com.docker.network.bridge.enable_ip_masquerade" => {
                settings.masquerade = if truth(option, value)? {
                    Masquerade::On
                } else {
                    Masquerade::Off
                };
            }
            "com.docker.network.bridge.host_binding_ipv4" => {
                settings.host_address = Some(value.parse().map_err(|_| {
                    DaemonError::Invalid(format!("failed to parse {option} value: {value}"))
                })?);
            }
            "com.docker.network.driver.mtu" => settings.mtu = mtu(option, value)?,
            "com.docker.network.bridge.default_bridge" => {}
            other if other.starts_with("com.docker.network.") => {
                return Err(DaemonError::Unsupported(format!("the option {other}")));
            }
            // Whatever else is kept for whoever reads it, as Docker does.
            _ => {}
        }
    }
    Ok(settings)
}

/// Go's words for a truth value.
pub(super) fn truth(option: &str, value: &str) -> Result<bool, DaemonError> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(DaemonError::Invalid(format!(
            "failed to parse {option} value: {value} (strconv.ParseBool: parsing {value:?}: invalid syntax)"
        ))),
    }
}

/// A size of packets; 0 is the usual one.
pub(super) fn mtu(option: &str, value: &str) -> Result<Option<u32>, DaemonError> {
    match u32::from_str(value) {
        Ok(0) => Ok(None),
        Ok(mtu) if (68..=65535).contains(&mtu) => Ok(Some(mtu)),
        Ok(mtu) => Err(DaemonError::Invalid(format!(
            "invalid MTU {mtu}: between 68 and 65535"
        ))),
        Err(_) => Err(DaemonError::Invalid(format!(
            "failed to parse {option} value: {value} (strconv.Atoi: parsing {value:?}: invalid syntax)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_go_words() {
        assert!(truth("x", "T").unwrap());
        let error = truth("icc", "zzz").unwrap_err().to_string();
        assert_eq!(
            error,
            "failed to parse icc value: zzz (strconv.ParseBool: parsing \"zzz\": invalid syntax)"
        );
        assert_eq!(mtu("mtu", "1400").unwrap(), Some(1400));
        assert!(mtu("mtu", "12").is_err());
    }
}

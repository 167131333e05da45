//! Which networks a new container wants, and whether what it wants there is possible.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::api::types::EndpointSettings;
use crate::network::endpoint::parse_mac;

use super::super::container::ContainerRecord;
use super::super::{Daemon, DaemonError};
use super::record::NetworkRecord;

/// What only the engine needs to know about a container's place in a network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attachment {
    /// The MAC address that was asked for; empty for any.
    pub(super) asked_mac: String,
    /// Name of the interface while it runs: `eth0`.
    pub(super) interface: String,
}

/// The places of a container, by network name.
pub(crate) struct Places {
    pub(crate) endpoints: BTreeMap<String, EndpointSettings>,
    pub(crate) attachments: BTreeMap<String, Attachment>,
}

impl Daemon {
    /// The places a new container wants.
    pub(crate) fn wanted_endpoints(
        &self,
        record: &ContainerRecord,
        mut asked: BTreeMap<String, EndpointSettings>,
    ) -> Result<Places, DaemonError> {
        let mut places = Places {
            endpoints: BTreeMap::new(),
            attachments: BTreeMap::new(),
        };
        let (config, host) = (&record.config, &record.host_config);
        let mode = host.network_mode.as_str();
        if mode.starts_with("container:") {
            check_shared(record)?;
            return Ok(places);
        }
        for link in host.links.iter().flatten() {
            self.check_link(link)?;
        }
        let inner = self.networks.lock();
        // A network that is missing is missed at the start: it may have come by then.
        let found = inner.find(mode).ok();
        let name = found.map_or(mode, |network| network.name.as_str());
        let mut first = asked
            .remove(name)
            .or_else(|| asked.remove(mode))
            .or_else(|| asked.remove("default"))
            .unwrap_or_default();
        if first.mac_address.is_empty() {
            first.mac_address.clone_from(&config.mac_address);
        }
        let mut wanted = vec![(name.to_owned(), found, first)];
        for (other, settings) in asked {
            let network = inner.find(&other).ok();
            let alone =
                |network: Option<&NetworkRecord>| network.is_some_and(|n| !n.has_endpoints());
            if alone(found) || alone(network) {
                return Err(DaemonError::Invalid(format!(
                    "conflicting options: cannot attach both user-defined and non-user-defined network-modes: {name} and {other}"
                )));
            }
            let name = network.map_or(other, |network| network.name.clone());
            wanted.push((name, network, settings));
        }
        for (name, network, mut settings) in wanted {
            let wrong = network.map_or_else(Vec::new, |network| check_settings(network, &settings));
            if let Some(text) = told(&wrong) {
                return Err(DaemonError::Invalid(format!(
                    "invalid config for network {name}: invalid endpoint settings:\n{text}"
                )));
            }
            settings.network_id = network
                .map(|network| network.id.clone())
                .unwrap_or_default();
            let attachment = Attachment {
                asked_mac: settings.mac_address.clone(),
                interface: String::new(),
            };
            places.attachments.insert(name.clone(), attachment);
            places.endpoints.insert(name, settings);
        }
        Ok(places)
    }

    /// `container:alias` of the default bridge.
    fn check_link(&self, link: &str) -> Result<(), DaemonError> {
        let (name, _) = split_link(link);
        match self.container(name) {
            Ok(_) => Ok(()),
            Err(error) => Err(DaemonError::Invalid(format!(
                "could not get container for {name}: {error}"
            ))),
        }
    }
}

/// The container and the name it is linked by.
pub(super) fn split_link(link: &str) -> (&str, &str) {
    let (name, alias) = link.split_once(':').unwrap_or((link, link));
    (
        name.trim_start_matches('/'),
        alias.rsplit('/').next().unwrap_or(alias),
    )
}

/// Several complaints are a list, one is a line.
pub(super) fn told(wrong: &[String]) -> Option<String> {
    match wrong {
        [] => None,
        [only] => Some(only.clone()),
        many => Some(
            many.iter()
                .map(|text| format!("* {text}"))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    }
}

/// What is impossible about a place in a network.
pub(super) fn check_settings(network: &NetworkRecord, settings: &EndpointSettings) -> Vec<String> {
    let mut wrong = Vec::new();
    let aliases = settings.aliases.iter().flatten().count();
    if aliases > 0 && !network.is_user_defined() {
        wrong.push("network-scoped aliases are only supported for user-defined networks".into());
    }
    if !settings.mac_address.is_empty() && parse_mac(&settings.mac_address).is_none() {
        wrong.push(format!("invalid MAC address: {}", settings.mac_address));
    }
    let asked = settings.ipam_config.clone().unwrap_or_default();
    for (family, text) in [("IPv4", &asked.ipv4_address), ("IPv6", &asked.ipv6_address)] {
        if text.is_empty() {
            continue;
        }
        match text.parse::<IpAddr>() {
            Ok(address) if address.is_ipv4() == (family == "IPv4") => {}
            _ => wrong.push(format!("invalid {family} address: {text}")),
        }
        if !network.is_user_defined() {
            wrong.push(
                "user specified IP address is supported on user defined networks only".into(),
            );
        }
        if !network.has_chosen_subnet() {
            wrong.push(
                "user specified IP address is supported only when connecting to networks with user configured subnets"
                    .into(),
            );
        } else if !network.may_give(text) {
            wrong.push(format!(
                "no configured subnet or ip-range contain the IP address {text}"
            ));
        }
    }
    wrong
}

impl NetworkRecord {
    /// Whether an address is of one of its subnets, also of those that were only noted.
    fn may_give(&self, text: &str) -> bool {
        let Ok(address) = text.parse::<IpAddr>() else {
            return false;
        };
        let noted = self.ipam.config.iter().flatten();
        let noted = noted.filter_map(|config| config.subnet.parse().ok());
        self.addressing
            .iter()
            .map(|addressing| addressing.subnet)
            .chain(noted)
            .any(|subnet| subnet.contains(address))
    }
}

/// A container in somebody else's namespace has no network of its own to speak of.
fn check_shared(record: &ContainerRecord) -> Result<(), DaemonError> {
    let (config, host) = (&record.config, &record.host_config);
    let given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let own_name = config.hostname != record.id[..12];
    let conflict = [
        (
            own_name && !config.hostname.is_empty(),
            "hostname and the network mode",
        ),
        (
            given(&host.links),
            "host type networking can't be used with links. This would result in undefined behavior",
        ),
        (given(&host.dns), "dns and the network mode"),
        (
            given(&host.extra_hosts),
            "custom host-to-IP mapping and the network mode",
        ),
        (
            !host.port_bindings.is_empty() || host.publish_all_ports,
            "port publishing and the container type network mode",
        ),
        (
            !config.mac_address.is_empty(),
            "mac-address and the network mode",
        ),
    ];
    match conflict.iter().find(|(found, _)| *found) {
        Some((_, what)) => Err(DaemonError::Invalid(format!("conflicting options: {what}"))),
        None => Ok(()),
    }
}

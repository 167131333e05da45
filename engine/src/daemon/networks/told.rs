//! Networks as clients are told of them.

use std::collections::BTreeMap;

use crate::api::types::{Ipam, IpamConfig, Network, NetworkContainer};
use crate::network::bridge::Reach;
use crate::network::ipam::Chosen;

use super::super::{Daemon, DaemonError, Filters};
use super::record::{Driver, NetworkRecord};

impl Daemon {
    /// All networks.
    pub fn list_networks(&self, filters: &Filters) -> Result<Vec<Network>, DaemonError> {
        let dangling = filters.flag("dangling")?;
        for kind in filters.get("type") {
            if !matches!(kind.as_str(), "builtin" | "custom") {
                let text = format!("invalid filter: 'type'='{kind}'");
                return Err(DaemonError::Invalid(text));
            }
        }
        let records = self.networks.lock().records.clone();
        let (ids, names) = (filters.patterns("id"), filters.patterns("name"));
        let wanted = records.iter().filter(|record| {
            names.find(&record.name)
                && ids.find(&record.id)
                && filters.any("driver", |wanted| record.driver.word() == wanted)
                && filters.any("scope", |wanted| record.scope() == wanted)
                && filters.any("type", |wanted| {
                    (wanted == "custom") == record.is_user_defined()
                })
                && dangling.is_none_or(|dangling| {
                    dangling == (record.is_user_defined() && self.places(record).is_empty())
                })
                && filters.labels(&record.labels)
        });
        Ok(wanted.map(|record| told(record, BTreeMap::new())).collect())
    }

    /// One network with its containers; with a scope only if it is of that scope.
    pub fn inspect_network(&self, text: &str, scope: Option<&str>) -> Result<Network, DaemonError> {
        let record = self.networks.lock().find(text)?.clone();
        if scope.is_some_and(|scope| !scope.is_empty() && scope != record.scope()) {
            let text = format!("network {text} not found");
            return Err(DaemonError::NotFoundText(text));
        }
        Ok(told(&record, self.places(&record)))
    }

    /// The running containers of a network; those of other engines too, if it is shared.
    pub(super) fn places(&self, network: &NetworkRecord) -> BTreeMap<String, NetworkContainer> {
        let mut places = self.remote_places(network);
        for container in self.all_containers() {
            let inner = container.lock();
            let record = &inner.record;
            let (Some(_), Some(endpoint)) =
                (record.state.process(), record.endpoints.get(&network.name))
            else {
                continue;
            };
            let with_prefix = |address: &str, prefix: u8| match address {
                "" => String::new(),
                address => format!("{address}/{prefix}"),
            };
            let place = NetworkContainer {
                name: record.name.clone(),
                endpoint_id: endpoint.endpoint_id.clone(),
                mac_address: endpoint.mac_address.clone(),
                ipv4_address: with_prefix(&endpoint.ip_address, endpoint.ip_prefix_len),
                ipv6_address: with_prefix(
                    &endpoint.global_ipv6_address,
                    endpoint.global_ipv6_prefix_len,
                ),
            };
            places.insert(record.id.clone(), place);
        }
        places
    }
}

impl NetworkRecord {
    pub(super) fn scope(&self) -> &'static str {
        if self.is_shared() { "global" } else { "local" }
    }
}

fn told(record: &NetworkRecord, containers: BTreeMap<String, NetworkContainer>) -> Network {
    Network {
        name: record.name.clone(),
        id: record.id.clone(),
        created: record.created.to_string(),
        scope: record.scope().into(),
        driver: record.driver.word().into(),
        enable_ipv6: record
            .addressing
            .iter()
            .any(|a| a.subnet.address().is_ipv6()),
        ipam: Ipam {
            config: match record.driver {
                Driver::Host | Driver::Null => None,
                _ => Some(configs(record)),
            },
            ..record.ipam.clone()
        },
        internal: record.reach == Reach::Internal,
        attachable: record.attachable,
        ingress: false,
        config_from: Default::default(),
        config_only: false,
        containers,
        options: record.options.clone(),
        labels: record.labels.clone(),
    }
}

/// What was asked for, as it was asked for, and what the engine chose.
fn configs(record: &NetworkRecord) -> Vec<IpamConfig> {
    let chosen = record
        .addressing
        .iter()
        .filter(|addressing| addressing.chosen == Chosen::ByEngine)
        .map(|addressing| IpamConfig {
            subnet: addressing.subnet.to_string(),
            gateway: addressing.gateway.to_string(),
            ..IpamConfig::default()
        });
    let asked = record.ipam.config.iter().flatten().cloned();
    asked.chain(chosen).collect()
}

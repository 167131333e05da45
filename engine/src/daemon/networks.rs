//! Networks as clients see them: list, inspect, create, remove, and who is in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::types::{
    CreateNetwork, EndpointSettings, Ipam, IpamConfig, Network, NetworkContainer, NetworkCreated,
    PruneReport,
};
use crate::network::bridge::Reach;

use super::container::ContainerRecord;
use super::network_record::{NetworkRecord, new_record};
use super::{Daemon, DaemonError, Filters, names};

impl Daemon {
    /// All networks.
    pub fn list_networks(&self, filters: &Filters) -> Result<Vec<Network>, DaemonError> {
        let dangling = filters.flag("dangling")?;
        let records = self.networks.lock().records.clone();
        let predefined = |name: &str| matches!(name, "bridge" | "host" | "none");
        let wanted = records.iter().filter(|record| {
            filters.any("name", |wanted| record.name.contains(wanted.as_str()))
                && filters.any("id", |wanted| record.id.starts_with(wanted.as_str()))
                && filters.any("driver", |wanted| record.driver.word() == wanted)
                && filters.any("scope", |wanted| wanted == "local")
                && filters.any("type", |wanted| {
                    (wanted == "builtin") == predefined(&record.name)
                })
                && dangling.is_none_or(|dangling| {
                    dangling == (!predefined(&record.name) && self.places(record).is_empty())
                })
                && filters.labels(&record.labels)
        });
        Ok(wanted.map(|record| told(record, BTreeMap::new())).collect())
    }

    /// One network with its containers.
    pub fn inspect_network(&self, text: &str) -> Result<Network, DaemonError> {
        let record = self.networks.lock().find(text)?.clone();
        Ok(told(&record, self.places(&record)))
    }

    fn places(&self, network: &NetworkRecord) -> BTreeMap<String, NetworkContainer> {
        let running = self
            .all_containers()
            .into_iter()
            .map(|container| container.record());
        running
            .filter(|record| record.state.process().is_some())
            .filter_map(|record| {
                let endpoint = record.endpoints.get(&network.name)?;
                let address = if endpoint.ip_address.is_empty() {
                    String::new()
                } else {
                    format!("{}/{}", endpoint.ip_address, endpoint.ip_prefix_len)
                };
                let place = NetworkContainer {
                    name: record.name.clone(),
                    endpoint_id: endpoint.endpoint_id.clone(),
                    mac_address: endpoint.mac_address.clone(),
                    ipv4_address: address,
                    ipv6_address: String::new(),
                };
                Some((record.id.clone(), place))
            })
            .collect()
    }

    /// Makes a bridge network.
    pub async fn create_network(
        self: &Arc<Self>,
        request: CreateNetwork,
    ) -> Result<NetworkCreated, DaemonError> {
        check_request(&request)?;
        self.block(move |daemon| {
            let record = {
                let mut inner = daemon.networks.lock();
                if inner
                    .records
                    .iter()
                    .any(|record| record.name == request.name)
                {
                    let text = format!("network with name {} already exists", request.name);
                    return Err(DaemonError::Conflict(text));
                }
                let record = new_record(&inner, request)?;
                inner.records.push(record.clone());
                inner.make_pool(&record)?;
                daemon.networks.save(&inner)?;
                record
            };
            if let Err(error) = daemon.make_bridge(&record) {
                daemon.forget_network(&record.id)?;
                return Err(error);
            }
            daemon.tell_network(&record, "create", None);
            Ok(NetworkCreated {
                id: record.id,
                warning: String::new(),
            })
        })
        .await
    }

    fn forget_network(&self, id: &str) -> Result<(), DaemonError> {
        let mut inner = self.networks.lock();
        inner.records.retain(|record| record.id != id);
        inner.pools.remove(id);
        self.networks.save(&inner)
    }

    /// Removes a network that no running container is in.
    pub async fn remove_network(self: &Arc<Self>, text: &str) -> Result<(), DaemonError> {
        let text = text.to_owned();
        self.block(move |daemon| {
            let record = daemon.networks.lock().find(&text)?.clone();
            if matches!(record.name.as_str(), "bridge" | "host" | "none") {
                return Err(DaemonError::Forbidden(format!(
                    "{} is a pre-defined network and cannot be removed",
                    record.name
                )));
            }
            if !daemon.places(&record).is_empty() {
                let text = format!(
                    "error while removing network: network {} id {} has active endpoints",
                    record.name, record.id
                );
                return Err(DaemonError::Forbidden(text));
            }
            daemon.remove_bridge(&record)?;
            daemon.forget_network(&record.id)?;
            daemon.tell_network(&record, "destroy", None);
            Ok(())
        })
        .await
    }

    /// Removes networks that no container is in.
    pub async fn prune_networks(
        self: &Arc<Self>,
        filters: Filters,
    ) -> Result<PruneReport, DaemonError> {
        let mut deleted = Vec::new();
        let records = self.networks.lock().records.clone();
        for record in records {
            let predefined = matches!(record.name.as_str(), "bridge" | "host" | "none");
            let used = self
                .all_containers()
                .iter()
                .any(|c| c.lock().record.endpoints.contains_key(&record.name));
            if !predefined && !used && filters.labels(&record.labels) {
                self.remove_network(&record.id).await?;
                deleted.push(record.name);
            }
        }
        Ok(PruneReport {
            networks_deleted: Some(deleted),
            ..PruneReport::default()
        })
    }

    /// The places a new container wants.
    pub(crate) fn wanted_endpoints(
        &self,
        record: &ContainerRecord,
        mut asked: BTreeMap<String, EndpointSettings>,
    ) -> Result<BTreeMap<String, EndpointSettings>, DaemonError> {
        let mode = record.host_config.network_mode.as_str();
        if mode.starts_with("container:") {
            return Ok(BTreeMap::new());
        }
        let inner = self.networks.lock();
        let main = inner.find(mode)?;
        let first = asked
            .remove(mode)
            .or_else(|| asked.remove("default"))
            .unwrap_or_default();
        let mut wanted = BTreeMap::from([(
            main.name.clone(),
            EndpointSettings {
                network_id: main.id.clone(),
                ..first
            },
        )]);
        for (name, settings) in asked {
            let network = inner.find(&name)?;
            if network.bridge().is_none() {
                return Err(DaemonError::Invalid(format!(
                    "container cannot be connected to network {name}"
                )));
            }
            wanted.insert(
                network.name.clone(),
                EndpointSettings {
                    network_id: network.id.clone(),
                    ..settings
                },
            );
        }
        Ok(wanted)
    }

    /// Tells an event for each network of a container.
    pub(crate) fn tell_networks(&self, record: &ContainerRecord, action: &str) {
        for name in record.endpoints.keys() {
            let network = self.networks.lock().find(name).cloned();
            if let Ok(network) = network {
                self.tell_network(&network, action, Some(&record.id));
            }
        }
    }

    pub(crate) fn tell_network(
        &self,
        network: &NetworkRecord,
        action: &str,
        container: Option<&str>,
    ) {
        let mut attributes = BTreeMap::from([
            ("name".into(), network.name.clone()),
            ("type".into(), network.driver.word().into()),
        ]);
        if let Some(container) = container {
            attributes.insert("container".into(), container.into());
        }
        self.events.emit("network", action, &network.id, attributes);
    }
}

fn check_request(request: &CreateNetwork) -> Result<(), DaemonError> {
    if !matches!(request.driver.as_str(), "" | "bridge" | "default") {
        return Err(DaemonError::NotFoundText(format!(
            "could not find plugin {} in v1 plugin registry: plugin not found",
            request.driver
        )));
    }
    if !names::is_valid(&request.name) {
        return Err(DaemonError::Invalid(format!(
            "invalid network name: {:?}",
            request.name
        )));
    }
    if request.enable_ipv6 == Some(true) {
        return Err(DaemonError::Unsupported("--ipv6".into()));
    }
    if request.ingress {
        return Err(DaemonError::Unsupported("--ingress".into()));
    }
    if let Some((option, _)) = request
        .options
        .iter()
        .find(|(name, _)| *name != "com.docker.network.bridge.name")
    {
        return Err(DaemonError::Unsupported(format!(
            "the network option {option}"
        )));
    }
    Ok(())
}

fn told(record: &NetworkRecord, containers: BTreeMap<String, NetworkContainer>) -> Network {
    let config = record.bridge().map(|bridge| IpamConfig {
        subnet: bridge.subnet.to_string(),
        ip_range: String::new(),
        gateway: bridge.gateway.to_string(),
    });
    Network {
        name: record.name.clone(),
        id: record.id.clone(),
        created: record.created.to_string(),
        scope: "local".into(),
        driver: record.driver.word().into(),
        enable_ipv6: false,
        ipam: Ipam {
            driver: "default".into(),
            options: None,
            config: config.into_iter().collect(),
        },
        internal: record
            .bridge()
            .is_some_and(|bridge| bridge.reach == Reach::Internal),
        attachable: record.attachable,
        ingress: false,
        containers,
        options: record.options.clone(),
        labels: record.labels.clone(),
    }
}

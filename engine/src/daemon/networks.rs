//! Networks: their records, the addresses given out, and what a container's place in them is.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::types::{
    CreateNetwork, EndpointSettings, Ipam, IpamConfig, Network, NetworkContainer, NetworkCreated,
    PruneReport,
};
use crate::network::bridge::{BridgeNetwork, Reach};
use crate::network::ipam::{Pool, Subnet};
use crate::store::write_atomically;

use super::container::ContainerRecord;
use super::{Daemon, DaemonError, Filters, names};

/// All networks.
#[derive(Debug)]
pub(crate) struct Networks {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) records: Vec<NetworkRecord>,
    /// By network id; made again from the records of containers after a restart.
    pub(crate) pools: BTreeMap<String, Pool>,
}

/// One network of `networks.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NetworkRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) attachable: bool,
    pub(crate) driver: Driver,
}

/// How a network is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Driver {
    /// A bridge and veth pairs.
    Bridge(BridgeNetwork),
    /// The machine's own network.
    Host,
    /// Only a loopback.
    Null,
}

impl Driver {
    fn word(&self) -> &'static str {
        match self {
            Self::Bridge(_) => "bridge",
            Self::Host => "host",
            Self::Null => "null",
        }
    }
}

impl NetworkRecord {
    /// The bridge, when it is one.
    pub(crate) fn bridge(&self) -> Option<&BridgeNetwork> {
        match &self.driver {
            Driver::Bridge(bridge) => Some(bridge),
            Driver::Host | Driver::Null => None,
        }
    }
}

impl Networks {
    pub(crate) fn open(path: &Path) -> Result<Self, DaemonError> {
        let records = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| {
                crate::store::StoreError::Damaged {
                    path: path.to_owned(),
                    source,
                }
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => predefined()?,
            Err(error) => return Err(DaemonError::io(format!("read {}", path.display()))(error)),
        };
        let networks = Self {
            path: path.to_owned(),
            inner: Mutex::new(Inner {
                records,
                ..Inner::default()
            }),
        };
        {
            let mut inner = networks.lock();
            networks.save(&inner)?;
            for record in inner.records.clone() {
                inner.make_pool(&record)?;
            }
        }
        Ok(networks)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while holding it")
    }

    fn save(&self, inner: &Inner) -> Result<(), DaemonError> {
        let bytes = serde_json::to_vec_pretty(&inner.records).expect("records are plain data");
        Ok(write_atomically(&self.path, &bytes)?)
    }
}

impl Inner {
    pub(crate) fn find(&self, text: &str) -> Result<&NetworkRecord, DaemonError> {
        let text = if text == "default" { "bridge" } else { text };
        let exact = self
            .records
            .iter()
            .find(|record| record.name == text || record.id == text);
        let found = exact.or_else(|| {
            let mut begins = self
                .records
                .iter()
                .filter(|record| !text.is_empty() && record.id.starts_with(text));
            begins.next().filter(|_| begins.next().is_none())
        });
        found.ok_or_else(|| DaemonError::NotFoundText(format!("network {text} not found")))
    }

    fn make_pool(&mut self, record: &NetworkRecord) -> Result<(), DaemonError> {
        if let Some(bridge) = record.bridge() {
            self.pools
                .insert(record.id.clone(), Pool::new(bridge.subnet, bridge.gateway)?);
        }
        Ok(())
    }

    /// The first of Docker's usual subnets that no network has.
    fn free_subnet(&self) -> Result<Subnet, DaemonError> {
        let candidates = (17..32)
            .map(|second| Subnet::new(Ipv4Addr::new(172, second, 0, 0), 16))
            .chain((0..16).map(|third| Subnet::new(Ipv4Addr::new(192, 168, third * 16, 0), 20)));
        for candidate in candidates {
            let candidate = candidate?;
            if !self
                .records
                .iter()
                .filter_map(NetworkRecord::bridge)
                .any(|bridge| bridge.subnet.overlaps(candidate))
            {
                return Ok(candidate);
            }
        }
        let text = "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network";
        Err(DaemonError::Forbidden(text.into()))
    }
}

fn predefined() -> Result<Vec<NetworkRecord>, DaemonError> {
    let subnet = Subnet::new(Ipv4Addr::new(172, 17, 0, 0), 16)?;
    let bridge = BridgeNetwork {
        interface: "docker0".into(),
        subnet,
        gateway: subnet.first_host(),
        reach: Reach::Outside,
    };
    let record = |name: &str, driver| NetworkRecord {
        id: names::random_id(),
        name: name.into(),
        created: Timestamp::now(),
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        attachable: false,
        driver,
    };
    Ok(vec![
        record("bridge", Driver::Bridge(bridge)),
        record("host", Driver::Host),
        record("none", Driver::Null),
    ])
}

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

fn new_record(inner: &Inner, request: CreateNetwork) -> Result<NetworkRecord, DaemonError> {
    let id = names::random_id();
    let config = request
        .ipam
        .unwrap_or_default()
        .config
        .into_iter()
        .next()
        .unwrap_or_default();
    if !config.ip_range.is_empty() {
        return Err(DaemonError::Unsupported("--ip-range".into()));
    }
    let subnet = if config.subnet.is_empty() {
        inner.free_subnet()?
    } else {
        config.subnet.parse()?
    };
    if inner
        .records
        .iter()
        .filter_map(NetworkRecord::bridge)
        .any(|bridge| bridge.subnet.overlaps(subnet))
    {
        let text = "invalid pool request: Pool overlaps with other one on this address space";
        return Err(DaemonError::Forbidden(text.into()));
    }
    let gateway = match config.gateway.as_str() {
        "" => subnet.first_host(),
        text => text
            .parse()
            .map_err(|_| DaemonError::Invalid(format!("invalid gateway address: {text}")))?,
    };
    let named = request
        .options
        .get("com.docker.network.bridge.name")
        .cloned();
    let interface = named.unwrap_or_else(|| format!("br-{}", &id[..12]));
    let reach = if request.internal {
        Reach::Internal
    } else {
        Reach::Outside
    };
    Ok(NetworkRecord {
        id,
        name: request.name,
        created: Timestamp::now(),
        labels: request.labels,
        options: request.options,
        attachable: request.attachable,
        driver: Driver::Bridge(BridgeNetwork {
            interface,
            subnet,
            gateway,
            reach,
        }),
    })
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

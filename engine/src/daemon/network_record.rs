//! `networks.json`: every network, and the addresses given out in it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::types::CreateNetwork;
use crate::network::bridge::{BridgeNetwork, Reach};
use crate::network::ipam::{Pool, Subnet};
use crate::store::write_atomically;

use super::{DaemonError, names};

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
    pub(super) fn word(&self) -> &'static str {
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

    pub(super) fn save(&self, inner: &Inner) -> Result<(), DaemonError> {
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

    pub(super) fn make_pool(&mut self, record: &NetworkRecord) -> Result<(), DaemonError> {
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

/// The network that a request asks for.
pub(super) fn new_record(
    inner: &Inner,
    request: CreateNetwork,
) -> Result<NetworkRecord, DaemonError> {
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

//! `networks.json`: every network, and the addresses given out in it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::types::Ipam;
use crate::network::bridge::{BridgeNetwork, BridgeSettings, Reach};
use crate::network::ipam::{Addressing, Pool};
use crate::network::ipvlan::IpvlanSettings;
use crate::network::macvlan::MacvlanSettings;
use crate::network::overlay::OverlaySettings;
use crate::network::parent::Parent;
use crate::store::write_atomically;

use super::super::{DaemonError, names};
use super::overlay::Cluster;
use super::publish::Published;
use super::resolver::{Names, Resolvers};

/// All networks.
#[derive(Debug)]
pub(crate) struct Networks {
    path: PathBuf,
    inner: Mutex<Inner>,
    /// Held while rules change, so that the last change is the last word.
    pub(super) published: Mutex<Published>,
    /// What all resolvers answer from.
    pub(super) names: Names,
    resolvers: Mutex<Resolvers>,
    /// The other engines, if there is a store that they share.
    pub(super) cluster: Option<Arc<Cluster>>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) records: Vec<NetworkRecord>,
    /// By network id, one for each family; filled again from the records of containers after a restart.
    pub(super) pools: BTreeMap<String, Vec<Pool>>,
    /// By network id and address, the host's end of a pair that the kernel has yet to remove.
    pub(super) leftovers: BTreeMap<(String, IpAddr), String>,
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
    /// What its maker asked for.
    pub(super) ipam: Ipam,
    pub(super) reach: Reach,
    /// The addresses it has, one entry for each family.
    pub(super) addressing: Vec<Addressing>,
    pub(super) driver: Driver,
}

/// How a network is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Driver {
    /// A bridge and veth pairs.
    Bridge(BridgeSettings),
    /// Containers with MAC addresses of their own on an interface of the host.
    Macvlan(MacvlanSettings),
    /// Containers that share the MAC address of an interface of the host.
    Ipvlan(IpvlanSettings),
    /// A bridge on each of several hosts, with VXLAN between them.
    Overlay(OverlaySettings),
    /// The machine's own network.
    Host,
    /// Only a loopback.
    Null,
}

impl Driver {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Bridge(_) => "bridge",
            Self::Macvlan(_) => "macvlan",
            Self::Ipvlan(_) => "ipvlan",
            Self::Overlay(_) => "overlay",
            Self::Host => "host",
            Self::Null => "null",
        }
    }
}

impl NetworkRecord {
    /// The bridge of this host, for drivers that have one.
    pub(super) fn bridge(&self) -> Option<BridgeNetwork> {
        let settings = match &self.driver {
            Driver::Bridge(settings) => settings,
            Driver::Overlay(settings) => &settings.bridge,
            _ => return None,
        };
        Some(BridgeNetwork {
            settings: settings.clone(),
            reach: self.reach,
            addressing: self.addressing.clone(),
        })
    }

    /// Whether several engines have it.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.driver, Driver::Overlay(_))
    }

    /// The interface of the host that it stands on, for drivers that need one.
    pub(super) fn parent(&self) -> Option<&Parent> {
        match &self.driver {
            Driver::Macvlan(settings) => Some(&settings.parent),
            Driver::Ipvlan(settings) => Some(&settings.parent),
            _ => None,
        }
    }

    /// Whether somebody made it.
    pub(super) fn is_user_defined(&self) -> bool {
        !super::is_predefined(&self.name)
    }

    /// Whether its containers have interfaces and addresses.
    pub(super) fn has_endpoints(&self) -> bool {
        !matches!(self.driver, Driver::Host | Driver::Null)
    }

    /// The subnet was somebody's choice, so that fixed addresses make sense.
    pub(super) fn has_chosen_subnet(&self) -> bool {
        self.ipam
            .config
            .iter()
            .flatten()
            .any(|config| !config.subnet.is_empty())
    }
}

impl Networks {
    /// Reads the file; in a new engine makes the networks that every engine has.
    pub(crate) fn open(
        path: &Path,
        cluster: Option<Cluster>,
        predefined: impl FnOnce() -> Result<Vec<NetworkRecord>, DaemonError>,
    ) -> Result<Self, DaemonError> {
        let records = match std::fs::read(path) {
            Ok(bytes) => read(&bytes).map_err(|source| crate::store::StoreError::Damaged {
                path: path.to_owned(),
                source,
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
            published: Mutex::default(),
            names: Names::default(),
            resolvers: Mutex::default(),
            cluster: cluster.map(Arc::new),
        };
        {
            let mut inner = networks.lock();
            networks.save(&inner)?;
            for record in inner.records.clone() {
                inner.make_pools(&record)?;
            }
        }
        Ok(networks)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while holding it")
    }

    pub(super) fn resolvers(&self) -> MutexGuard<'_, Resolvers> {
        self.resolvers.lock().expect("no panic while holding it")
    }

    pub(super) fn save(&self, inner: &Inner) -> Result<(), DaemonError> {
        let bytes = serde_json::to_vec_pretty(&inner.records).expect("records are plain data");
        Ok(write_atomically(&self.path, &bytes)?)
    }
}

fn read(bytes: &[u8]) -> Result<Vec<NetworkRecord>, serde_json::Error> {
    let records: Vec<serde_json::Value> = serde_json::from_slice(bytes)?;
    let records = records.into_iter().map(super::former::modern);
    records.map(serde_json::from_value).collect()
}

impl Inner {
    /// Finds a network by name, id or the beginning of an id.
    pub(crate) fn find(&self, text: &str) -> Result<&NetworkRecord, DaemonError> {
        let text = if text == "default" { "bridge" } else { text };
        let exact = self
            .records
            .iter()
            .find(|record| record.name == text || record.id == text);
        if let Some(exact) = exact {
            return Ok(exact);
        }
        let mut begins = self
            .records
            .iter()
            .filter(|record| !text.is_empty() && record.id.starts_with(text));
        match (begins.next(), begins.next()) {
            (Some(record), None) => Ok(record),
            (Some(_), Some(_)) => Err(DaemonError::Invalid(format!(
                "network {text} is ambiguous (2 matches found on ID prefix)"
            ))),
            (None, _) => Err(DaemonError::NotFoundText(format!(
                "network {text} not found"
            ))),
        }
    }

    pub(super) fn make_pools(&mut self, record: &NetworkRecord) -> Result<(), DaemonError> {
        let pools: Result<Vec<_>, _> = record.addressing.iter().map(Pool::new).collect();
        self.pools.insert(record.id.clone(), pools?);
        Ok(())
    }
}

/// The networks of a new engine; the default bridge has these settings and addresses.
pub(super) fn predefined(
    bridge: Option<(BridgeSettings, Vec<Addressing>)>,
    options: BTreeMap<String, String>,
) -> Vec<NetworkRecord> {
    let record = |name: &str, driver| NetworkRecord {
        id: names::random_id(),
        name: name.into(),
        created: Timestamp::now(),
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        attachable: false,
        ipam: Ipam {
            driver: "default".into(),
            options: None,
            config: None,
        },
        reach: Reach::Outside,
        addressing: Vec::new(),
        driver,
    };
    let bridge = bridge.map(|(settings, addressing)| NetworkRecord {
        options,
        addressing,
        ..record("bridge", Driver::Bridge(settings))
    });
    bridge
        .into_iter()
        .chain([record("host", Driver::Host), record("none", Driver::Null)])
        .collect()
}

//! Overlay networks: what this engine shares with others through etcd, and what it does with what they share.
//!
//! - A network is one key of the store, and every engine lists it. A container's place in it is a key that ends with
//!   its engine's lease (`discovery.ttl`); each of its addresses is a key of its own, made in the transaction that takes
//!   it, so that no two engines give the same one. Addresses have a lease ten times as long: an engine that comes back
//!   in time finds them its own.
//! - One thread (`session`) keeps the leases, watches the store and writes what it says into records, names and
//!   tables of the kernel. It compares whole states, so a lost connection costs a look at everything and nothing else.
//! - While the store cannot be reached, running containers keep what they have; whatever has to be agreed on is an error
//!   that says so.

mod claim;
mod encryption;
mod follow;
mod keys;
mod mirror;
mod network;
mod session;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::cluster::{Client, ClusterError};
use crate::network::dns::zone::Host;
use crate::network::encryption::Association;
use crate::network::overlay::{self, Entry};
use crate::stage::Stage;

use super::super::config_cluster::{Advertise, ClusterConfig};
use super::super::{Daemon, DaemonError};
use keys::Keys;
use mirror::Mirror;

/// How long a request waits for the first words of the store.
const PATIENCE: Duration = Duration::from_secs(10);

/// This engine among those that share a store.
#[derive(Debug)]
pub(in crate::daemon) struct Cluster {
    config: ClusterConfig,
    keys: Keys,
    /// The id of this engine.
    engine: String,
    stage: Stage,
    standing: Mutex<Standing>,
    changed: Condvar,
    /// The places that this engine's containers have, by endpoint id.
    claims: Mutex<BTreeMap<String, Claim>>,
    /// What the store said last.
    mirror: Mutex<Mirror>,
    /// What is written in the tables of each network's VXLAN interface, by network id, where that is known.
    tables: Mutex<BTreeMap<String, BTreeSet<Entry>>>,
    /// What the kernel has been given to encrypt with; `None` until it was looked at.
    associations: Mutex<Option<BTreeSet<Association>>>,
    /// Whether the kernel was told to let nothing pass in the clear.
    demand: Mutex<Demand>,
    /// The containers of other engines that the resolvers know, by network id and container id.
    told: Mutex<BTreeMap<(String, String), Host>>,
    /// The claims have changed.
    wake: Notify,
}

/// Whether the kernel was told to let nothing pass in the clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Demand {
    /// An engine before this one may have.
    #[default]
    Unknown,
    /// It was.
    Made,
    /// It was not, or no longer.
    None,
}

/// How this engine stands with the store.
#[derive(Clone, Debug)]
enum Standing {
    /// It has not heard of it yet.
    Starting,
    /// It has these leases.
    Joined(Leases),
    /// It has lost it; why.
    Lost(String),
}

/// What keeps this engine's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leases {
    /// That of its containers' places.
    presence: i64,
    /// That of their addresses.
    addresses: i64,
}

/// A place that a container of this engine has or is about to have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    network: String,
    place: Place,
    stage: ClaimStage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaimStage {
    /// The store is being asked: nobody else puts or removes it meanwhile.
    Asked,
    /// The store has granted it.
    Held,
}

/// A container's place in an overlay network, as engines tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Id of its engine.
    engine: String,
    /// Where frames for it are sent to.
    vtep: Option<IpAddr>,
    container: String,
    name: String,
    /// Its names in the network.
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    mac: [u8; 6],
}

impl Cluster {
    pub(in crate::daemon) fn new(config: ClusterConfig, engine: &str, stage: &Stage) -> Self {
        Self {
            keys: Keys::below(&config.prefix),
            config,
            engine: engine.to_owned(),
            stage: stage.clone(),
            standing: Mutex::new(Standing::Starting),
            changed: Condvar::new(),
            claims: Mutex::default(),
            mirror: Mutex::default(),
            tables: Mutex::default(),
            associations: Mutex::default(),
            demand: Mutex::default(),
            told: Mutex::default(),
            wake: Notify::new(),
        }
    }

    fn claims(&self) -> MutexGuard<'_, BTreeMap<String, Claim>> {
        self.claims.lock().expect("no panic while holding it")
    }

    fn mirror(&self) -> MutexGuard<'_, Mirror> {
        self.mirror.lock().expect("no panic while holding it")
    }

    fn stand(&self, standing: Standing) {
        *self.standing.lock().expect("no panic while holding it") = standing;
        self.changed.notify_all();
    }

    /// The leases, once the store has been heard of; why not, when it is lost. Blocking.
    fn leases(&self) -> Result<Leases, DaemonError> {
        let standing = self.standing.lock().expect("no panic while holding it");
        let starting = |standing: &mut Standing| matches!(standing, Standing::Starting);
        let (standing, _) = self
            .changed
            .wait_timeout_while(standing, PATIENCE, starting)
            .expect("no panic while holding it");
        match &*standing {
            Standing::Joined(leases) => Ok(*leases),
            Standing::Lost(why) => Err(DaemonError::Cluster(why.clone())),
            Standing::Starting => Err(DaemonError::Cluster(format!(
                "the cluster store {} does not answer",
                self.config.store
            ))),
        }
    }

    /// Where the others send frames for this host to. Blocking.
    fn vtep(&self) -> Result<IpAddr, DaemonError> {
        match &self.config.advertise {
            Advertise::Address(address) => Ok(*address),
            Advertise::Interface(name) => {
                let found = overlay::address_of(&self.stage, name)?;
                found.ok_or_else(|| {
                    DaemonError::Cluster(format!(
                        "the interface {name} of --cluster-advertise has no address"
                    ))
                })
            }
        }
    }

    /// Asks the store, on a thread that is in the network of the stage. Blocking.
    fn ask<T: Send>(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<T, DaemonError> + Send,
    ) -> Result<T, DaemonError> {
        crate::network::in_stage(&self.stage, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            Ok(match runtime {
                Ok(runtime) => runtime.block_on(async {
                    let client = self.client()?;
                    work(&client).await
                }),
                Err(error) => Err(DaemonError::io("start a runtime")(error)),
            })
        })?
    }

    fn client(&self) -> Result<Client, ClusterError> {
        Client::new(&self.config.settings, &super::super::root_of(&self.stage))
    }
}

impl Daemon {
    /// This engine among others, for what only works there.
    fn cluster(&self) -> Result<&Arc<Cluster>, DaemonError> {
        self.networks.cluster.as_ref().ok_or_else(|| {
            DaemonError::Forbidden(
                "overlay networks need a store that several engines share: start the engine with --cluster-store \
                 etcd://HOST:2379 and --cluster-advertise INTERFACE"
                    .into(),
            )
        })
    }
}

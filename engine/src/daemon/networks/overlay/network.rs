//! Overlay networks are made and removed for all engines at once.

use std::net::IpAddr;

use crate::api::types::CreateNetwork;
use crate::cluster::{Change, Client, Condition, Outcome};
use crate::network::overlay::{self, OverlaySettings, Secrecy};
use crate::network::{encryption, routes};

use super::super::super::{Daemon, DaemonError};
use super::super::record::{Driver, NetworkRecord};
use super::super::request::{self, Surroundings};
use super::keys::{Key, Keys};
use super::mirror::Mirror;
use super::settle::put;
use super::{Cluster, Demand};

/// How often another engine may change the networks before the attempt is given up.
const TRIES: usize = 32;

impl Daemon {
    /// Makes an overlay network in the store, and its record here. Blocking.
    pub(in super::super) fn share_network(
        &self,
        request: &CreateNetwork,
    ) -> Result<NetworkRecord, DaemonError> {
        let cluster = self.cluster()?;
        cluster.leases()?;
        let vtep = cluster.vtep()?;
        let mtu = |secrecy| overlay::usual_mtu(&self.stage, vtep, secrecy);
        let (open, encrypted) = (mtu(Secrecy::Open)?, mtu(Secrecy::Encrypted)?);
        let own = self.own_bridges();
        let routes = routes::known(&self.stage, &own)?;
        let interfaces = routes::interfaces(&self.stage)?;
        let local: Vec<NetworkRecord> = {
            let inner = self.networks.lock();
            let is_local = |record: &&NetworkRecord| !record.is_shared();
            inner.records.iter().filter(is_local).cloned().collect()
        };
        let made = cluster.ask(async |client| {
            for _ in 0..TRIES {
                let shared = Shared::read(client, &cluster.keys).await?;
                let records = [local.clone(), shared.networks.clone()].concat();
                let around = Surroundings {
                    config: &self.config.network,
                    engine_id: &self.id,
                    records: &records,
                    routes: &routes,
                    interfaces: &interfaces,
                };
                let mut record = request::record(request.clone(), &around)?;
                if let Driver::Overlay(settings) = &mut record.driver {
                    settings.bridge.mtu.get_or_insert(match settings.secrecy {
                        Secrecy::Open => open,
                        Secrecy::Encrypted => encrypted,
                    });
                    if settings.secrecy == Secrecy::Encrypted {
                        // A kernel that cannot do it says so before anybody believes in it.
                        self.demand_encryption(cluster, vtep)?;
                    }
                }
                let changes = [
                    put(cluster.keys.network(&record.id), &record, 0),
                    put(cluster.keys.generation(), &record.id, 0),
                ];
                if shared.change(client, &cluster.keys, &[], &changes).await? == Outcome::Done {
                    cluster.mirror().expect(&cluster.keys, &changes);
                    return Ok(record);
                }
            }
            Err(too_slow())
        });
        let record = match made {
            Ok(record) => record,
            Err(error) => {
                // It may have been demanded for this network alone.
                if let Err(error) = self.demand_no_encryption(cluster, &[]) {
                    tracing::error!("{error}");
                }
                return Err(error);
            }
        };
        let mut inner = self.networks.lock();
        // The thread that follows the store may have been quicker.
        if !inner.records.iter().any(|known| known.id == record.id) {
            inner.make_pools(&record)?;
            inner.records.push(record.clone());
            self.networks.save(&inner)?;
        }
        drop(inner);
        self.apply_rules()?;
        Ok(record)
    }

    /// Removes an overlay network from the store, unless a container of any engine is in it. Blocking.
    pub(in super::super) fn unshare_network(
        &self,
        network: &NetworkRecord,
        settings: &OverlaySettings,
    ) -> Result<(), DaemonError> {
        let cluster = self.cluster()?;
        cluster.leases()?;
        cluster.ask(async |client| cluster.remove_network(client, network).await)?;
        overlay::remove(&self.stage, settings)?;
        cluster.forget_tables(&network.id);
        self.demand_no_encryption(cluster, &[&network.id])
    }

    /// From now on packets of encrypted networks pass only when they are encrypted.
    pub(super) fn demand_encryption(
        &self,
        cluster: &Cluster,
        vtep: IpAddr,
    ) -> Result<(), DaemonError> {
        let mut demand = cluster.demand.lock().expect("no panic while holding it");
        encryption::require(&self.stage, vtep)?;
        *demand = Demand::Made;
        Ok(())
    }

    /// Ends that demand unless a network makes it, beside those that are `gone`.
    pub(super) fn demand_no_encryption(
        &self,
        cluster: &Cluster,
        gone: &[&str],
    ) -> Result<(), DaemonError> {
        let is_encrypted = |record: &NetworkRecord| matches!(&record.driver, Driver::Overlay(settings) if settings.secrecy == Secrecy::Encrypted);
        // Held until the kernel knows: a network whose record is looked for here demands it again before it is used.
        let mut demand = cluster.demand.lock().expect("no panic while holding it");
        let records = self.shared_records();
        let mut left = records
            .iter()
            .filter(|record| !gone.contains(&record.id.as_str()));
        if *demand == Demand::None || left.any(is_encrypted) {
            return Ok(());
        }
        let release = || Ok(encryption::release(&self.stage, cluster.vtep()?)?);
        match release() {
            // A kernel without IPsec has nothing to end.
            Err(error) if *demand == Demand::Made => return Err(error),
            _ => *demand = Demand::None,
        }
        Ok(())
    }
}

impl Cluster {
    async fn remove_network(
        &self,
        client: &Client,
        network: &NetworkRecord,
    ) -> Result<(), DaemonError> {
        let id = &network.id;
        for _ in 0..TRIES {
            let shared = Shared::read(client, &self.keys).await?;
            let mut changes = vec![
                Change::Delete(self.keys.network(id)),
                Change::DeleteBelow(self.keys.addresses(id)),
                put(self.keys.generation(), id, 0),
            ];
            let listed = client.list(&self.keys.places(id)).await?;
            let all = Mirror::of(&self.keys, listed.keys.clone());
            let mut left = false;
            for (key, place) in &all.places {
                let ours = place.value.engine == self.engine;
                if ours && !self.claims().contains_key(&key.1) {
                    // A container that has just ended; the thread that follows is about to say so.
                    let key = self.keys.place(id, &key.1);
                    client.transact(&[], &[Change::Delete(key)]).await?;
                } else {
                    left = true;
                }
            }
            if left {
                return Err(DaemonError::Forbidden(format!(
                    "error while removing network: network {} id {id} has active endpoints",
                    network.name
                )));
            }
            let none = [Condition::NoneBelow(self.keys.places(id))];
            let outcome = shared.change(client, &self.keys, &none, &changes).await?;
            if outcome == Outcome::Done {
                changes.truncate(1);
                self.mirror().expect(&self.keys, &changes);
                return Ok(());
            }
        }
        Err(too_slow())
    }
}

fn too_slow() -> DaemonError {
    DaemonError::Cluster(format!(
        "other engines changed the networks of the cluster {TRIES} times meanwhile"
    ))
}

/// The networks of the store at one moment.
struct Shared {
    /// The revision at which the last one came or went.
    generation: i64,
    networks: Vec<NetworkRecord>,
}

impl Shared {
    async fn read(client: &Client, keys: &Keys) -> Result<Self, DaemonError> {
        // In this order: what changes in between is seen by the condition.
        let generation = client.list(&keys.generation()).await?;
        let networks = client.list(&keys.networks()).await?;
        let read = networks.keys.iter().filter_map(|entry| {
            match keys.parse(&entry.key) {
                // One that makes no sense was told of by the thread that follows.
                Some(Key::Network(_)) => serde_json::from_slice(&entry.value).ok(),
                _ => None,
            }
        });
        Ok(Self {
            generation: generation
                .keys
                .first()
                .map_or(0, |entry| entry.mod_revision),
            networks: read.collect(),
        })
    }

    /// Changes the networks, if nobody has since.
    async fn change(
        &self,
        client: &Client,
        keys: &Keys,
        conditions: &[Condition],
        changes: &[Change],
    ) -> Result<Outcome, DaemonError> {
        let unchanged = Condition::Unchanged(keys.generation(), self.generation);
        let conditions = [&[unchanged], conditions].concat();
        Ok(client.transact(&conditions, changes).await?)
    }
}

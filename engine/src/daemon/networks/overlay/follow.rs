//! What the store says becomes records, names, and entries in the tables of the kernel.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::types::NetworkContainer;
use crate::network::dns::zone::Host;
use crate::network::overlay::{self, Entry, Presence, Secrecy};

use super::super::super::{Daemon, DaemonError};
use super::super::record::{Driver, NetworkRecord};
use super::Cluster;

impl Daemon {
    /// Brings everything in line. Blocking, briefly.
    pub(super) fn follow(&self, cluster: &Cluster) {
        if let Err(error) = self.follow_networks(cluster) {
            tracing::error!("{error}");
        }
        self.follow_names(cluster);
        // Before the tables lead anybody there.
        if let Err(error) = self.write_associations(cluster) {
            tracing::error!("{error}");
        }
        for record in self.shared_records() {
            if let Err(error) = self.write_tables(&record) {
                tracing::error!("{error}");
            }
        }
    }

    /// The overlay networks that this engine knows.
    pub(super) fn shared_records(&self) -> Vec<NetworkRecord> {
        let inner = self.networks.lock();
        let shared = inner.records.iter().filter(|record| record.is_shared());
        shared.cloned().collect()
    }

    fn follow_networks(&self, cluster: &Cluster) -> Result<(), DaemonError> {
        let shared = cluster.mirror().networks.clone();
        let in_use: BTreeSet<String> = {
            let claims = cluster.claims();
            claims.values().map(|claim| claim.network.clone()).collect()
        };
        let mut gone = BTreeSet::new();
        for record in self.shared_records() {
            if let Driver::Overlay(settings) = &record.driver
                && !shared.contains_key(&record.id)
                && !in_use.contains(&record.id)
            {
                // The interfaces first: a record without them is harmless, they without it stay for ever.
                overlay::remove(&self.stage, settings)?;
                cluster.forget_tables(&record.id);
                gone.insert(record.id);
            }
        }
        let ids: Vec<&str> = gone.iter().map(String::as_str).collect();
        self.demand_no_encryption(cluster, &ids)?;
        let mut inner = self.networks.lock();
        let before = inner.records.len();
        inner.records.retain(|record| !gone.contains(&record.id));
        inner.pools.retain(|id, _| !gone.contains(id));
        let mut changed = inner.records.len() != before;
        for (id, record) in shared {
            let same_name = inner.records.iter().find(|known| known.name == record.name);
            match same_name {
                Some(known) if known.id == id => {}
                Some(_) => tracing::warn!(
                    "the overlay network {} ({id}) is hidden by a network of this engine with its name",
                    record.name
                ),
                None => {
                    inner.make_pools(&record)?;
                    inner.records.push(record);
                    changed = true;
                }
            }
        }
        if changed {
            self.networks.save(&inner)?;
            drop(inner);
            self.apply_rules()?;
        }
        Ok(())
    }

    /// The resolvers know the containers of other engines.
    fn follow_names(&self, cluster: &Cluster) {
        let mut wanted = BTreeMap::new();
        let records = self.shared_records();
        {
            let mirror = cluster.mirror();
            for record in &records {
                for (_, place) in mirror.remote(&record.id, &cluster.engine) {
                    let host = Host {
                        names: place.names.clone(),
                        addresses: place.addresses.clone(),
                    };
                    wanted.insert((record.id.clone(), place.container.clone()), host);
                }
            }
        }
        let mut told = cluster.told.lock().expect("no panic while holding it");
        if *told == wanted {
            return;
        }
        let mut names = self
            .networks
            .names
            .write()
            .expect("no panic while holding it");
        for (key @ (network, container), _) in told.iter() {
            if !wanted.contains_key(key) {
                names.leave(network, container);
            }
        }
        for (key @ (network, container), host) in &wanted {
            if told.get(key) != Some(host)
                && let Some(record) = records.iter().find(|record| record.id == *network)
            {
                names.enter(network, &record.name, container, host.clone());
            }
        }
        *told = wanted;
    }

    /// Makes the interfaces of an overlay network on this host, with all they have to know.
    pub(in super::super) fn make_overlay(
        &self,
        network: &NetworkRecord,
    ) -> Result<(), DaemonError> {
        let (Driver::Overlay(settings), Some(bridge)) = (&network.driver, network.bridge()) else {
            return Ok(());
        };
        let cluster = self.cluster()?;
        let vtep = cluster.vtep()?;
        if settings.secrecy == Secrecy::Encrypted {
            self.demand_encryption(cluster, vtep)?;
        }
        overlay::create(&self.stage, settings, &bridge, vtep)?;
        // A new interface has empty tables, whatever was written in the one before.
        cluster.forget_tables(&network.id);
        self.write_tables(network)
    }

    /// Tells the kernel which containers of a network are behind which hosts.
    fn write_tables(&self, network: &NetworkRecord) -> Result<(), DaemonError> {
        let (Ok(cluster), Driver::Overlay(settings)) = (self.cluster(), &network.driver) else {
            return Ok(());
        };
        // Held until the kernel has them: two writers would undo each other.
        let mut tables = cluster.tables.lock().expect("no panic while holding it");
        let wanted = cluster.entries(&network.id);
        let known = tables.get(&network.id);
        if known == Some(&wanted) {
            return Ok(());
        }
        let written = overlay::write(&self.stage, settings, known, &wanted);
        match written {
            Ok(Presence::Here) => drop(tables.insert(network.id.clone(), wanted)),
            Ok(Presence::Absent) => drop(tables.remove(&network.id)),
            Err(error) => {
                tables.remove(&network.id);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// The containers of other engines in a network, as clients are told of them.
    pub(in super::super) fn remote_places(
        &self,
        network: &NetworkRecord,
    ) -> BTreeMap<String, NetworkContainer> {
        let Some(cluster) = self
            .networks
            .cluster
            .as_ref()
            .filter(|_| network.is_shared())
        else {
            return BTreeMap::new();
        };
        let with_prefix = |v4: bool, place: &super::Place| {
            let address = place.addresses.iter().find(|a| a.is_ipv4() == v4)?;
            let own = network
                .addressing
                .iter()
                .find(|a| a.subnet.contains(*address))?;
            Some(format!("{address}/{}", own.subnet.prefix()))
        };
        let mirror = cluster.mirror();
        let places = mirror
            .remote(&network.id, &cluster.engine)
            .map(|(endpoint, place)| {
                let told = NetworkContainer {
                    name: place.name.clone(),
                    endpoint_id: endpoint.to_owned(),
                    mac_address: place.mac.map(|byte| format!("{byte:02x}")).join(":"),
                    ipv4_address: with_prefix(true, place).unwrap_or_default(),
                    ipv6_address: with_prefix(false, place).unwrap_or_default(),
                };
                // Docker's key for what is on another host.
                (format!("ep-{endpoint}"), told)
            });
        places.collect()
    }
}

impl Cluster {
    /// What the VXLAN interface of a network has to know.
    fn entries(&self, network: &str) -> BTreeSet<Entry> {
        let mirror = self.mirror();
        let mut entries = BTreeSet::new();
        for (_, place) in mirror.remote(network, &self.engine) {
            let Some(vtep) = place.vtep else { continue };
            let mac = place.mac;
            entries.insert(Entry::Forwarding { mac, vtep });
            let addresses = place.addresses.iter();
            entries.extend(addresses.map(|address| Entry::Neighbour {
                address: *address,
                mac,
            }));
        }
        entries
    }

    pub(super) fn forget_tables(&self, network: &str) {
        let mut tables = self.tables.lock().expect("no panic while holding it");
        tables.remove(network);
    }
}

//! Networks are made and removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::types::{CreateNetwork, NetworkCreated, PruneReport};
use crate::network::{bridge, parent, routes};

use super::super::container::ContainerRecord;
use super::super::{Daemon, DaemonError, Filters};
use super::record::{Driver, NetworkRecord};
use super::request::{self, Surroundings};

/// The driver whose networks are in the store that several engines share.
pub(super) const OVERLAY: &str = "overlay";

impl Daemon {
    /// Makes a network.
    pub async fn create_network(
        self: &Arc<Self>,
        request: CreateNetwork,
    ) -> Result<NetworkCreated, DaemonError> {
        self.block(move |daemon| {
            if request.driver == OVERLAY {
                let record = daemon.share_network(&request)?;
                daemon.tell_network(&record, "create", None);
                return Ok(NetworkCreated {
                    id: record.id,
                    warning: String::new(),
                });
            }
            let record = daemon.record_network(request)?;
            if let Err(error) = daemon.make_network(&record) {
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

    fn record_network(&self, request: CreateNetwork) -> Result<NetworkRecord, DaemonError> {
        let own = self.own_bridges();
        let routes = routes::known(&self.stage, &own)?;
        let interfaces = routes::interfaces(&self.stage)?;
        let mut inner = self.networks.lock();
        let around = Surroundings {
            config: &self.config.network,
            engine_id: &self.id,
            records: &inner.records,
            routes: &routes,
            interfaces: &interfaces,
        };
        let record = request::record(request, &around)?;
        inner.make_pools(&record)?;
        inner.records.push(record.clone());
        let saved = self.networks.save(&inner);
        if saved.is_err() {
            inner.records.retain(|other| other.id != record.id);
            inner.pools.remove(&record.id);
        }
        saved.map(|()| record)
    }

    /// Names of the bridges of all networks.
    pub(super) fn own_bridges(&self) -> Vec<String> {
        let inner = self.networks.lock();
        let bridges = inner.records.iter().filter_map(NetworkRecord::bridge);
        bridges.map(|bridge| bridge.settings.interface).collect()
    }

    /// Makes the kernel objects of a network.
    pub(super) fn make_network(&self, network: &NetworkRecord) -> Result<(), DaemonError> {
        if let Some(parent) = network.parent() {
            parent::create(&self.stage, parent)?;
        }
        if let Some(bridge) = network.bridge() {
            bridge::create(&self.stage, &bridge)?;
            if let Err(error) = self.apply_rules() {
                // The rules could not be changed; the bridge goes too.
                let _ = bridge::remove(&self.stage, &bridge);
                return Err(error);
            }
        }
        Ok(())
    }

    fn forget_network(&self, id: &str) -> Result<(), DaemonError> {
        let mut inner = self.networks.lock();
        inner.records.retain(|record| record.id != id);
        inner.pools.remove(id);
        inner.leftovers.retain(|(network, _), _| network != id);
        self.networks.save(&inner)
    }

    /// Removes a network that no running container is in.
    pub async fn remove_network(self: &Arc<Self>, text: &str) -> Result<(), DaemonError> {
        let text = text.to_owned();
        self.block(move |daemon| {
            let record = daemon.networks.lock().find(&text)?.clone();
            if !record.is_user_defined() {
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
            if let Driver::Overlay(settings) = &record.driver {
                daemon.unshare_network(&record, settings)?;
            } else if let Some(bridge) = record.bridge() {
                bridge::remove(&daemon.stage, &bridge)?;
            }
            if let Some(parent) = record.parent() {
                parent::remove(&daemon.stage, parent)?;
            }
            daemon.forget_network(&record.id)?;
            if record.bridge().is_some() {
                daemon.apply_rules()?;
            }
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
        let until = super::super::system::until(&filters)?;
        let mut deleted = Vec::new();
        let records = self.networks.lock().records.clone();
        for record in records {
            let used = self
                .all_containers()
                .iter()
                .any(|c| c.lock().record.endpoints.contains_key(&record.name));
            let old = until.is_none_or(|until| record.created < until);
            if record.is_user_defined() && !used && old && filters.labels(&record.labels) {
                match self.remove_network(&record.id).await {
                    Ok(()) => deleted.push(record.name),
                    // Somebody joined it, or removed it, since we looked.
                    Err(DaemonError::Forbidden(_) | DaemonError::NotFoundText(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let attributes = [("reclaimed".to_owned(), "0".to_owned())].into();
        self.events.emit("network", "prune", "", attributes);
        Ok(PruneReport {
            networks_deleted: Some(deleted),
            ..PruneReport::default()
        })
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

    pub(super) fn tell_network(
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

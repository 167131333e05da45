//! Pairs of containers that have ended: the kernel removes them, and nobody waits for it.
//!
//! To remove an interface the kernel waits several times until no processor looks at it any more, 10 to 40 ms. It does
//! so by itself once nobody is left in the container's namespace. Until then the old interface still answers for its
//! address: so whoever is given that address again has it removed first.

use std::net::IpAddr;
use std::sync::Arc;

use crate::api::types::EndpointSettings;
use crate::network::bridge;

use super::super::container::{Container, ContainerRecord};
use super::super::{Daemon, DaemonError};
use super::address::addresses;
use super::attach::endpoint;
use super::record::{Driver, NetworkRecord};

/// Who removes the pairs of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// We do, and wait for it.
    Now,
    /// The kernel does: the container has ended, and its namespaces with it.
    ByTheKernel,
}

impl Daemon {
    /// Leaves the pair of an ended container to the kernel; whether that can be done.
    pub(super) fn leave_behind(
        &self,
        network: &NetworkRecord,
        record: &ContainerRecord,
        settings: &EndpointSettings,
    ) -> bool {
        let asked_mac = record
            .attachments
            .get(&network.name)
            .is_some_and(|attachment| !attachment.asked_mac.is_empty());
        // A hardware address can come back with another address of the network; who shares the namespace keeps it.
        if !matches!(network.driver, Driver::Bridge(_)) || asked_mac || self.is_shared(&record.id) {
            return false;
        }
        let interface = endpoint(network, settings, String::new()).host_interface;
        let mut inner = self.networks.lock();
        for address in addresses(settings) {
            let place = (network.id.clone(), address);
            inner.leftovers.insert(place, interface.clone());
        }
        true
    }

    /// Removes what a former owner of these addresses has left.
    pub(super) fn remove_leftovers(
        &self,
        network: &NetworkRecord,
        settings: &EndpointSettings,
    ) -> Result<(), DaemonError> {
        let left = |address: IpAddr| {
            let place = (network.id.clone(), address);
            self.networks.lock().leftovers.remove(&place)
        };
        for interface in addresses(settings).filter_map(left) {
            bridge::remove_link(&self.stage, &interface)?;
        }
        Ok(())
    }

    /// Whether a running container lives in the network namespace of this one.
    fn is_shared(&self, id: &str) -> bool {
        let owner_of = |container: Arc<Container>| {
            let record = &container.lock().record;
            let owner = record.host_config.network_mode.strip_prefix("container:")?;
            record.state.process().map(|_| owner.to_owned())
        };
        let owners: Vec<String> = self
            .all_containers()
            .into_iter()
            .filter_map(owner_of)
            .collect();
        let is_this = |owner: String| self.container(&owner).is_ok_and(|owner| owner.id == id);
        owners.into_iter().any(is_this)
    }
}

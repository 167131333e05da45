//! A container's way into its networks at its start, and what is left of it at its end.

use std::sync::Arc;

use crate::api::types::EndpointSettings;
use crate::network::bridge::{self, Reach};
use crate::network::endpoint::{Endpoint, WayOut, mac_of, parse_mac};
use crate::network::{child, ipvlan, macvlan, none, overlay, parent};

use super::super::container::{Container, ContainerRecord};
use super::super::{Daemon, DaemonError};
use super::address::addresses;
use super::leftovers::Removal;
use super::record::{Driver, NetworkRecord};

impl Daemon {
    /// Links a prepared container to its networks.
    pub(crate) fn connect(
        self: &Arc<Self>,
        container: &Arc<Container>,
        record: &ContainerRecord,
        engine_pid: u32,
    ) -> Result<(), DaemonError> {
        for name in self.networks_in_order(record) {
            let network = self.networks.lock().find(&name)?.clone();
            if network.has_endpoints() {
                let interface = self.link(&network, &record.endpoints[&name], engine_pid)?;
                let mut inner = container.lock();
                let attachment = inner.record.attachments.entry(name.clone()).or_default();
                attachment.interface = interface;
            } else if matches!(network.driver, Driver::Null) {
                none::attach(engine_pid)?;
            }
        }
        self.enter_names(record, engine_pid);
        self.publish(&record.id)?;
        self.tell_networks(record, "connect");
        Ok(())
    }

    /// Makes the interface of a container in one network; gives its name.
    pub(super) fn link(
        &self,
        network: &NetworkRecord,
        settings: &EndpointSettings,
        engine_pid: u32,
    ) -> Result<String, DaemonError> {
        let endpoint = endpoint(network, settings, String::new());
        let made = match &network.driver {
            Driver::Bridge(_) => {
                self.remove_leftovers(network, settings)?;
                let network = network.bridge().expect("it is one");
                bridge::attach(&self.stage, &network, engine_pid, endpoint)?
            }
            Driver::Overlay(settings) => {
                self.make_overlay(network)?;
                let network = network.bridge().expect("it has one");
                overlay::attach(&self.stage, settings, &network, engine_pid, endpoint)?
            }
            Driver::Macvlan(settings) => {
                macvlan::attach(&self.stage, settings, engine_pid, endpoint)?
            }
            Driver::Ipvlan(settings) => {
                ipvlan::attach(&self.stage, settings, engine_pid, endpoint)?
            }
            Driver::Host | Driver::Null => endpoint,
        };
        Ok(made.interface)
    }

    /// Takes the interface of a running container away.
    pub(super) fn unlink(
        &self,
        network: &NetworkRecord,
        record: &ContainerRecord,
    ) -> Result<(), DaemonError> {
        let settings = &record.endpoints[&network.name];
        let interface = record
            .attachments
            .get(&network.name)
            .map(|attachment| attachment.interface.clone())
            .unwrap_or_default();
        let endpoint = endpoint(network, settings, interface);
        match &network.driver {
            Driver::Bridge(_) | Driver::Overlay(_) => Ok(bridge::detach(&self.stage, &endpoint)?),
            Driver::Macvlan(_) | Driver::Ipvlan(_) => match record.state.process() {
                Some(process) => Ok(child::detach(process.engine_pid, &endpoint)?),
                // It ended with the container.
                None => Ok(()),
            },
            Driver::Host | Driver::Null => Ok(()),
        }
    }

    /// Takes down what is left of a container's links after its end: names, the rules of its ports, the pairs. A start
    /// that failed before the container's end joined them leaves pairs that no namespace takes along.
    pub(crate) fn disconnect(&self, record: &ContainerRecord, removal: Removal) {
        self.leave_names(&record.id);
        if let Err(error) = self.unpublish(&record.id) {
            tracing::error!("the ports of {} stay published: {error}", record.id);
        }
        for (name, settings) in &record.endpoints {
            let network = self.networks.lock().find(name).cloned();
            let Ok(network) = network else {
                continue;
            };
            if settings.endpoint_id.is_empty()
                || (removal == Removal::ByTheKernel
                    && self.leave_behind(&network, record, settings))
            {
                continue;
            }
            if let Err(error) = self.unlink(&network, record) {
                tracing::warn!("{error}");
            }
        }
    }

    /// After a restart of the daemon: bridges and rules are there, and live containers keep what they have.
    pub(crate) fn recover_networks(self: &Arc<Self>) {
        self.recover_addresses();
        let records = self.networks.lock().records.clone();
        // The bridge of an overlay comes with its first container.
        let local = records.iter().filter(|record| !record.is_shared());
        for network in local.filter_map(NetworkRecord::bridge) {
            if let Err(error) = bridge::create(&self.stage, &network) {
                tracing::error!("{error}: containers of this network will not start");
            }
        }
        for record in &records {
            if let Some(parent) = record.parent()
                && let Err(error) = parent::create(&self.stage, parent)
            {
                tracing::error!("{error}: containers of this network will not start");
            }
        }
        self.recover_names();
        self.recover_cluster();
        if let Err(error) = self.recover_ports() {
            tracing::error!("{error}");
        }
        self.guard_rules();
    }

    /// The network of `--network` first: it becomes `eth0` and the way out.
    pub(super) fn networks_in_order(&self, record: &ContainerRecord) -> Vec<String> {
        let main = self
            .networks
            .lock()
            .find(&record.host_config.network_mode)
            .map(|network| network.name.clone())
            .unwrap_or_default();
        let mut names: Vec<String> = record.endpoints.keys().cloned().collect();
        names.sort_by_key(|name| *name != main);
        names
    }
}

/// A place as the kernel is told of it.
pub(super) fn endpoint(
    network: &NetworkRecord,
    settings: &EndpointSettings,
    interface: String,
) -> Endpoint {
    let prefix = |address: std::net::IpAddr| {
        let own = network
            .addressing
            .iter()
            .find(|addressing| addressing.subnet.contains(address));
        own.map_or(32, |addressing| addressing.subnet.prefix())
    };
    let addresses: Vec<_> = addresses(settings).map(|a| (a, prefix(a))).collect();
    let mac = parse_mac(&settings.mac_address)
        .or_else(|| addresses.first().map(|(address, _)| mac_of(*address)))
        .unwrap_or_default();
    let routed =
        matches!(&network.driver, Driver::Ipvlan(settings) if settings.mode != ipvlan::Mode::L2);
    let ways_out = match network.reach {
        Reach::Internal => Vec::new(),
        Reach::Outside if routed => network
            .addressing
            .iter()
            .map(|addressing| WayOut::Interface(addressing.gateway))
            .collect(),
        Reach::Outside => network
            .addressing
            .iter()
            .map(|addressing| WayOut::Gateway(addressing.gateway))
            .collect(),
    };
    Endpoint {
        host_interface: format!("veth{}", settings.endpoint_id.get(..7).unwrap_or_default()),
        interface,
        mac,
        addresses,
        ways_out,
        mtu: network.mtu(),
    }
}

impl NetworkRecord {
    fn mtu(&self) -> Option<u32> {
        self.bridge().and_then(|bridge| bridge.settings.mtu)
    }
}

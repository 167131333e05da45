//! Addresses are taken when a container starts or joins, and given back when it ends or leaves.

use std::net::IpAddr;
use std::sync::Arc;

use crate::api::types::{EndpointIpam, EndpointSettings};
use crate::network::bridge::Reach;
use crate::network::endpoint::mac_of;
use crate::network::ipam::IpamError;
use crate::network::subnet::Subnet;

use super::super::container::{Container, ContainerRecord};
use super::super::{Daemon, DaemonError, names};
use super::record::{Inner, NetworkRecord};

impl Daemon {
    /// Takes an address in every network of a container that is about to start, and its ports.
    pub(crate) fn allocate(&self, record: &mut ContainerRecord) -> Result<(), DaemonError> {
        let networks: Vec<String> = record.endpoints.keys().cloned().collect();
        for name in networks {
            if let Err(error) = self.take(&name, record) {
                // What was taken before goes back: the container does not start.
                self.give_back(record, None);
                return Err(error);
            }
        }
        self.choose_ports(record)
            .inspect_err(|_| self.give_back(record, None))
    }

    /// Takes the addresses of a container in one of its networks; on a failure none is taken.
    pub(super) fn take(&self, name: &str, record: &mut ContainerRecord) -> Result<(), DaemonError> {
        let network = begin(&self.networks.lock(), name, record)?;
        if !network.has_endpoints() {
            return Ok(());
        }
        let settings = &record.endpoints[name];
        let taken = if network.is_shared() {
            self.claim(&network, record)?
        } else {
            let asked = settings.ipam_config.clone().unwrap_or_default();
            from_pools(&mut self.networks.lock(), &network, &asked)?
        };
        finish(&network, record, &taken);
        Ok(())
    }

    /// Forgets what a run was given, in one network or in all; what was asked for stays.
    pub(super) fn give_back(&self, record: &mut ContainerRecord, only: Option<&str>) {
        self.unclaim(record, only);
        give_back(&mut self.networks.lock(), record, only);
    }

    /// Gives the addresses of a container back.
    pub(crate) fn release(&self, container: &Arc<Container>) {
        self.unclaim(&container.record(), None);
        let mut networks = self.networks.lock();
        give_back(&mut networks, &mut container.lock().record, None);
    }

    /// After a restart of the daemon: running containers have their addresses.
    pub(super) fn recover_addresses(&self) {
        let mut networks = self.networks.lock();
        for container in self.all_containers() {
            let mut inner = container.lock();
            let record = &mut inner.record;
            if record.state.process().is_none() {
                // What it had when the former daemon was killed.
                give_back_fields(record, None);
                continue;
            }
            for endpoint in record.endpoints.values() {
                for address in addresses(endpoint) {
                    if let Some(pools) = networks.pools.get_mut(&endpoint.network_id)
                        && let Some(pool) = pools.iter_mut().find(|p| p.subnet().contains(address))
                        && let Err(error) = pool.take(address)
                    {
                        tracing::warn!("container {}: {address}: {error}", record.id);
                    }
                }
            }
        }
    }
}

/// A place that is about to be given: its identity and names.
fn begin(
    inner: &Inner,
    name: &str,
    record: &mut ContainerRecord,
) -> Result<NetworkRecord, DaemonError> {
    let network = inner.find(name)?.clone();
    let known_as = dns_names(&network, record);
    record.attachments.entry(name.to_owned()).or_default();
    let settings = record.endpoints.get_mut(name).expect("one of its own");
    settings.network_id.clone_from(&network.id);
    settings.endpoint_id = names::random_id();
    settings.dns_names = known_as;
    Ok(network)
}

fn from_pools(
    inner: &mut Inner,
    network: &NetworkRecord,
    asked: &EndpointIpam,
) -> Result<Vec<(IpAddr, Subnet)>, DaemonError> {
    let pools = inner.pools.get_mut(&network.id).expect("it has pools");
    let mut taken: Vec<(IpAddr, Subnet)> = Vec::new();
    for pool in pools.iter_mut() {
        let text = if pool.subnet().address().is_ipv4() {
            &asked.ipv4_address
        } else {
            &asked.ipv6_address
        };
        let given = match text.parse::<IpAddr>() {
            Ok(address) => pool.take(address).map(|()| address),
            Err(_) => pool.allocate(),
        };
        match given {
            Ok(address) => taken.push((address, pool.subnet())),
            Err(error) => {
                release(pools, taken.iter().map(|(address, _)| *address));
                return Err(refused(error));
            }
        }
    }
    Ok(taken)
}

/// The addresses that were taken, and what follows from them.
fn finish(network: &NetworkRecord, record: &mut ContainerRecord, taken: &[(IpAddr, Subnet)]) {
    let attachment = record.attachments.entry(network.name.clone()).or_default();
    let settings = record
        .endpoints
        .get_mut(&network.name)
        .expect("one of its own");
    fill(settings, network, taken);
    settings.mac_address = match attachment.asked_mac.as_str() {
        "" => taken
            .iter()
            .map(|(address, _)| mac_of(*address))
            .next()
            .map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":"))
            .unwrap_or_default(),
        asked => asked.to_lowercase(),
    };
}

fn refused(error: IpamError) -> DaemonError {
    match error {
        IpamError::Taken(_) => DaemonError::Forbidden(error.to_string()),
        IpamError::Outside(_) => DaemonError::Invalid(error.to_string()),
        other => other.into(),
    }
}

fn fill(settings: &mut EndpointSettings, network: &NetworkRecord, taken: &[(IpAddr, Subnet)]) {
    let gateway = |subnet: &Subnet| {
        let found = network.addressing.iter().find(|a| a.subnet == *subnet);
        match found {
            Some(addressing) if network.reach == Reach::Outside => addressing.gateway.to_string(),
            _ => String::new(),
        }
    };
    for (address, subnet) in taken {
        if address.is_ipv4() {
            settings.ip_address = address.to_string();
            settings.ip_prefix_len = subnet.prefix();
            settings.gateway = gateway(subnet);
        } else {
            settings.global_ipv6_address = address.to_string();
            settings.global_ipv6_prefix_len = subnet.prefix();
            settings.ipv6_gateway = gateway(subnet);
        }
    }
}

/// The names by which the others of a user-defined network find a container.
pub(super) fn dns_names(network: &NetworkRecord, record: &ContainerRecord) -> Option<Vec<String>> {
    if !network.is_user_defined() {
        return None;
    }
    let aliases = record.endpoints.get(&network.name);
    let aliases = aliases.and_then(|settings| settings.aliases.clone());
    let mut all = vec![record.name.clone()];
    all.extend(aliases.unwrap_or_default());
    all.push(record.id[..12].to_owned());
    all.push(record.config.hostname.clone());
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    Some(all)
}

/// The addresses that a place has now.
pub(super) fn addresses(settings: &EndpointSettings) -> impl Iterator<Item = IpAddr> + use<> {
    [&settings.ip_address, &settings.global_ipv6_address]
        .map(|text| text.parse().ok())
        .into_iter()
        .flatten()
}

fn release(pools: &mut [crate::network::ipam::Pool], addresses: impl Iterator<Item = IpAddr>) {
    for address in addresses {
        for pool in pools.iter_mut().filter(|p| p.subnet().contains(address)) {
            pool.release(address);
        }
    }
}

/// Forgets what a run was given, in one network or in all; what was asked for stays.
fn give_back(inner: &mut Inner, record: &mut ContainerRecord, only: Option<&str>) {
    for (name, settings) in &record.endpoints {
        if only.is_none_or(|only| only == name)
            && let Some(pools) = inner.pools.get_mut(&settings.network_id)
        {
            release(pools, addresses(settings));
        }
    }
    give_back_fields(record, only);
}

fn give_back_fields(record: &mut ContainerRecord, only: Option<&str>) {
    for (name, settings) in &mut record.endpoints {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let attachment = record.attachments.entry(name.clone()).or_default();
        attachment.interface.clear();
        *settings = EndpointSettings {
            ipam_config: settings.ipam_config.take(),
            aliases: settings.aliases.take(),
            links: settings.links.take(),
            driver_opts: settings.driver_opts.take(),
            mac_address: attachment.asked_mac.clone(),
            network_id: std::mem::take(&mut settings.network_id),
            dns_names: settings.dns_names.take(),
            ..EndpointSettings::default()
        };
    }
    if only.is_none() {
        record.published.clear();
    }
}

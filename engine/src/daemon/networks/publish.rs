//! Which ports of the host lead to which containers: chosen, held, and put into the rules.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, MutexGuard};

use kernel::reservation::Reservation;

use crate::api::types::PortBinding;
use crate::network::NetworkError;
use crate::network::bridge::{BridgeNetwork, Reach};
use crate::network::ports::{self, Protocol, Publication};
use crate::network::rules::{self, Change, LiveRule, Planned};

use super::super::container::{Container, ContainerRecord};
use super::super::{Daemon, DaemonError};
use super::address::addresses;
use super::record::NetworkRecord;

/// The published ports of all running containers.
#[derive(Debug, Default)]
pub(super) struct Published {
    by_container: BTreeMap<String, Held>,
    /// Whether this daemon has made the table.
    made: bool,
}

/// The published ports of one container.
#[derive(Debug, Default)]
struct Held {
    publications: Vec<Publication>,
    /// So that nobody on the host is given the same port.
    _reservations: Vec<Reservation>,
}

/// What is published, by port of the container, and the sockets that hold it.
type Chosen = (BTreeMap<String, Vec<PortBinding>>, Held);

impl Daemon {
    /// Chooses and holds the ports of a container that is about to start.
    pub(super) fn choose_ports(&self, record: &mut ContainerRecord) -> Result<(), DaemonError> {
        let (published, held) = self.chosen_ports(record)?;
        record.published = published;
        self.published()
            .by_container
            .insert(record.id.clone(), held);
        Ok(())
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        self.networks
            .published
            .lock()
            .expect("no panic while holding it")
    }

    /// Puts the held ports of a container into the rules.
    pub(super) fn publish(&self, id: &str) -> Result<(), DaemonError> {
        let mut published = self.published();
        match published.by_container.get(id) {
            Some(held) if !held.publications.is_empty() => self.apply(&mut published),
            _ => Ok(()),
        }
    }

    /// Takes the ports of a container out of the rules, then lets others have them.
    pub(super) fn unpublish(&self, id: &str) -> Result<(), DaemonError> {
        let mut published = self.published();
        match published.by_container.remove(id) {
            Some(held) if !held.publications.is_empty() => self.apply(&mut published),
            _ => Ok(()),
        }
    }

    /// A running container has joined or left a network: its ports may lead elsewhere.
    pub(super) fn republish(&self, container: &Arc<Container>) -> Result<(), DaemonError> {
        let record = container.record();
        if record.host_config.port_bindings.is_empty() && !record.host_config.publish_all_ports {
            return Ok(());
        }
        let address = self.published_addresses(&record);
        let unchanged = self
            .published()
            .by_container
            .get(&record.id)
            .is_some_and(|held| {
                let leads = |p: &Publication| address.iter().any(|(a, _)| *a == p.address);
                held.publications.iter().all(leads)
                    && held.publications.is_empty() == address.is_empty()
            });
        if unchanged {
            return Ok(());
        }
        self.unpublish(&record.id)?;
        let (ports, held) = self.chosen_ports(&record)?;
        let mut published = self.published();
        published.by_container.insert(record.id.clone(), held);
        self.apply(&mut published)?;
        container.lock().record.published = ports;
        Ok(())
    }

    /// After a restart of the daemon: the ports of live containers, as they were.
    pub(super) fn recover_ports(&self) -> Result<(), DaemonError> {
        let mut published = self.published();
        for container in self.all_containers() {
            let record = container.record();
            if record.state.process().is_none() || record.published.is_empty() {
                continue;
            }
            let publications = self.publications(&record);
            let reserve = |publication: &Publication| {
                ports::reserve(&self.stage, publication.host(), publication.protocol)
                    .inspect_err(|error| tracing::warn!("{}: {error}", record.id))
                    .ok()
            };
            let held = Held {
                _reservations: publications.iter().filter_map(reserve).collect(),
                publications,
            };
            published.by_container.insert(record.id.clone(), held);
        }
        self.apply(&mut published)
    }

    /// Puts the rules of all networks and ports in place.
    pub(super) fn apply_rules(&self) -> Result<(), DaemonError> {
        self.apply(&mut self.published())
    }

    fn apply(&self, published: &mut Published) -> Result<(), DaemonError> {
        let change = if published.made {
            Change::Later
        } else {
            Change::First
        };
        // Without bridges there is nothing to rule, and another engine's rules are not ours to replace.
        let rules_nothing = {
            let networks = self.networks.lock();
            networks
                .records
                .iter()
                .all(|network| network.bridge().is_none())
        };
        if rules_nothing && self.config.network.no_bridge && !published.made {
            return Ok(());
        }
        let planned = self.planned(published);
        rules::apply(&self.stage, &planned, change)?;
        published.made = true;
        Ok(())
    }

    fn planned(&self, published: &Published) -> Vec<Planned> {
        let networks: Vec<BridgeNetwork> = self
            .networks
            .lock()
            .records
            .iter()
            .filter_map(NetworkRecord::bridge)
            .collect();
        let live: Vec<Publication> = published
            .by_container
            .values()
            .flat_map(|held| held.publications.iter().cloned())
            .collect();
        rules::plan(&networks, &live)
    }

    /// The rules as the kernel has them, with what they counted.
    pub async fn network_rules(self: &Arc<Self>) -> Result<Vec<LiveRule>, DaemonError> {
        self.block(|daemon| {
            let published = daemon.published();
            let planned = daemon.planned(&published);
            Ok(rules::list(&daemon.stage, &planned)?)
        })
        .await
    }

    /// The live ports of a container as its record tells them.
    fn publications(&self, record: &ContainerRecord) -> Vec<Publication> {
        let own = self.published_addresses(record);
        let mut all = Vec::new();
        for (port, bindings) in &record.published {
            let Ok((port, protocol)) = parse_port(port) else {
                continue;
            };
            for binding in bindings {
                if let (Ok(host_address), Ok(host_port)) =
                    (binding.host_ip.parse::<IpAddr>(), binding.host_port.parse())
                    && let Some((address, _)) = own
                        .iter()
                        .find(|(address, _)| address.is_ipv4() == host_address.is_ipv4())
                {
                    all.push(Publication {
                        host_address,
                        host_port,
                        address: *address,
                        port,
                        protocol,
                    });
                }
            }
        }
        all
    }

    /// The addresses that ports lead to, in the first network that leads outside, and where that network publishes.
    fn published_addresses(&self, record: &ContainerRecord) -> Vec<(IpAddr, Option<IpAddr>)> {
        for name in self.networks_in_order(record) {
            let Ok(network) = self.networks.lock().find(&name).cloned() else {
                continue;
            };
            if let Some(bridge) = network.bridge()
                && network.reach == Reach::Outside
            {
                let settings = &bridge.settings;
                let own = addresses(&record.endpoints[&name]);
                let host = settings.host_address.or(self.config.network.host_address);
                let found: Vec<_> = own.map(|address| (address, host)).collect();
                if !found.is_empty() {
                    return found;
                }
            }
        }
        Vec::new()
    }

    /// Resolves what a container wants to publish: a free port where none was named, a refusal where one is taken.
    fn chosen_ports(&self, record: &ContainerRecord) -> Result<Chosen, DaemonError> {
        let (mut published, mut held) = Chosen::default();
        let own = self.published_addresses(record);
        if own.is_empty() {
            return Ok((published, held));
        }
        let mut wanted = record.host_config.port_bindings.clone();
        if record.host_config.publish_all_ports {
            for port in record.config.exposed_ports.keys() {
                wanted
                    .entry(port.clone())
                    .or_insert_with(|| vec![PortBinding::default()]);
            }
        }
        for (port, bindings) in wanted {
            let mut chosen = Vec::new();
            // An empty list asks for any port.
            let bindings = if bindings.is_empty() {
                vec![PortBinding::default()]
            } else {
                bindings
            };
            for binding in bindings {
                for (publication, reservation) in self
                    .choose_port(&port, &binding, &own)
                    .map_err(|error| failed(record, error))?
                {
                    chosen.push(PortBinding {
                        host_ip: publication.host_address.to_string(),
                        host_port: publication.host_port.to_string(),
                    });
                    held.publications.push(publication);
                    held._reservations.push(reservation);
                }
            }
            published.insert(port, chosen);
        }
        Ok((published, held))
    }

    /// One binding: for each family the container has, the same port on the host.
    fn choose_port(
        &self,
        port: &str,
        binding: &PortBinding,
        own: &[(IpAddr, Option<IpAddr>)],
    ) -> Result<Vec<(Publication, Reservation)>, DaemonError> {
        let (port, protocol) = parse_port(port)?;
        let places = places(binding, own)?;
        let range = host_ports(&binding.host_port)?;
        let mut last = None;
        for candidate in range.clone() {
            match self.hold(&places, candidate, port, protocol) {
                Ok(held) => return Ok(held),
                // Another one of the range, or of all, may be free.
                Err(error @ DaemonError::Network(NetworkError::PortTaken { .. })) => {
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match last {
            Some(DaemonError::Network(NetworkError::PortTaken { address, .. })) => {
                let address = SocketAddr::new(address.ip(), *range.start());
                Err(self.taken(address, protocol))
            }
            Some(error) => Err(error),
            None => Err(DaemonError::Invalid(format!(
                "invalid port specification: {}",
                binding.host_port
            ))),
        }
    }

    /// Holds one port at every place; without a port any that is free at all of them.
    fn hold(
        &self,
        places: &[(IpAddr, IpAddr)],
        host_port: u16,
        port: u16,
        protocol: Protocol,
    ) -> Result<Vec<(Publication, Reservation)>, DaemonError> {
        // Another family may have the port that the kernel chose for the first.
        let tries = if host_port == 0 { 16 } else { 1 };
        let mut last = None;
        for _ in 0..tries {
            let mut held: Vec<(Publication, Reservation)> = Vec::new();
            let mut chosen = host_port;
            let mut failed = None;
            for (host_address, address) in places {
                let wanted = SocketAddr::new(*host_address, chosen);
                match ports::reserve(&self.stage, wanted, protocol) {
                    Ok(reservation) => {
                        chosen = reservation.port();
                        let publication = Publication {
                            host_address: *host_address,
                            host_port: chosen,
                            address: *address,
                            port,
                            protocol,
                        };
                        held.push((publication, reservation));
                    }
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            match failed {
                None => return Ok(held),
                Some(error @ NetworkError::PortTaken { .. }) => last = Some(error),
                Some(error) => return Err(error.into()),
            }
        }
        Err(last.expect("there was a try").into())
    }

    /// Who has the port: a container of this engine, or somebody else on the host.
    fn taken(&self, address: SocketAddr, protocol: Protocol) -> DaemonError {
        let published = self.published();
        let ours = published
            .by_container
            .values()
            .flat_map(|held| &held.publications)
            .any(|p| p.host_port == address.port() && p.protocol == protocol);
        let why = if ours {
            format!("Bind for {address} failed: port is already allocated")
        } else {
            format!(
                "failed to bind port {address}/{protocol}: listen {protocol}4 {address}: bind: address already in use"
            )
        };
        DaemonError::Port(why)
    }
}

/// Docker's words around a port that cannot be published.
fn failed(record: &ContainerRecord, error: DaemonError) -> DaemonError {
    let why = match error {
        DaemonError::Port(why) => why,
        error @ DaemonError::Network(_) => error.to_string(),
        other => return other,
    };
    let endpoint = record
        .endpoints
        .values()
        .map(|endpoint| endpoint.endpoint_id.as_str())
        .find(|id| !id.is_empty())
        .unwrap_or_default();
    DaemonError::Port(format!(
        "driver failed programming external connectivity on endpoint {} ({endpoint}): {why}",
        record.name
    ))
}

/// Where a binding is reached on the host, and the container's address it leads to.
fn places(
    binding: &PortBinding,
    own: &[(IpAddr, Option<IpAddr>)],
) -> Result<Vec<(IpAddr, IpAddr)>, DaemonError> {
    let any = |like: IpAddr| match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    if binding.host_ip.is_empty() {
        let usual = own.first().and_then(|(_, usual)| *usual);
        let everywhere = own.iter().filter_map(|(address, _)| match usual {
            Some(host) if host.is_ipv4() == address.is_ipv4() => Some((host, *address)),
            // A network that publishes at one address of one family publishes at no other.
            Some(host) if !host.is_unspecified() => None,
            _ => Some((any(*address), *address)),
        });
        return Ok(everywhere.collect());
    }
    let host: IpAddr = binding
        .host_ip
        .parse()
        .map_err(|_| DaemonError::Invalid(format!("invalid IP address: {}", binding.host_ip)))?;
    let leads = own.iter().find(|(a, _)| a.is_ipv4() == host.is_ipv4());
    match leads {
        Some((address, _)) => Ok(vec![(host, *address)]),
        None => Err(DaemonError::Invalid(format!(
            "cannot publish at {host}: the container has no {} address",
            if host.is_ipv4() { "IPv4" } else { "IPv6" }
        ))),
    }
}

/// A port, a range, or nothing for any.
fn host_ports(text: &str) -> Result<RangeInclusive<u16>, DaemonError> {
    if text.is_empty() {
        return Ok(0..=0);
    }
    let bad = |_| DaemonError::Invalid(format!("invalid port specification: {text:?}"));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Ok(first.parse().map_err(bad)?..=last.parse().map_err(bad)?)
}

/// `80/tcp`; without a protocol it is TCP.
fn parse_port(text: &str) -> Result<(u16, Protocol), DaemonError> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let bad = || DaemonError::Invalid(format!("invalid port specification: {text:?}"));
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(bad)?;
    Ok((port, Protocol::parse(protocol).ok_or_else(bad)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(host_ip: &str, usual: Option<&str>, expected: &[&str]) {
        let own = ["172.18.0.2", "fd00::2"].map(|own| (ip(own), usual.map(ip)));
        let binding = PortBinding {
            host_ip: host_ip.into(),
            ..PortBinding::default()
        };
        let told: Vec<_> = places(&binding, &own)
            .unwrap()
            .into_iter()
            .map(|(host, _)| host.to_string())
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_port_is_published_for_each_family() {
        check("", None, &["0.0.0.0", "::"]);
        check("", Some("0.0.0.0"), &["0.0.0.0", "::"]);
        check("", Some("127.0.0.1"), &["127.0.0.1"]);
        check("::1", None, &["::1"]);
        check("0.0.0.0", Some("127.0.0.1"), &["0.0.0.0"]);
    }

    #[test]
    fn host_ports_are_a_number_or_a_range() {
        assert_eq!(host_ports("").unwrap(), 0..=0);
        assert_eq!(host_ports("9000-9010").unwrap(), 9000..=9010);
        assert!(host_ports("x").is_err());
        assert!(parse_port("0/tcp").is_err());
        assert_eq!(parse_port("53/UDP").unwrap(), (53, Protocol::Udp));
    }
}

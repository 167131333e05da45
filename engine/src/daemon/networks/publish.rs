//! Which ports of the host lead to which containers: chosen, held, and put into the rules.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
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
use super::bindings::{Families, host_ports, leads_to, parse_port, places};
use super::record::NetworkRecord;
use super::relay::Relay;

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
    reservations: Vec<Reservation>,
    /// The ports that the engine itself passes on.
    relays: Vec<Relay>,
}

impl Held {
    /// Holds one port more; one that no rule translates is served from now on.
    fn add(
        &mut self,
        daemon: &Daemon,
        publication: Publication,
        reservation: Reservation,
    ) -> Result<(), DaemonError> {
        // What comes to the host does not come to the rules of an ordinary user's engine.
        if publication.is_relayed() || daemon.door.is_some() {
            let relay = Relay::start(&daemon.stage, reservation, &publication);
            let text = format!("relay {}", publication.host());
            self.relays.push(relay.map_err(DaemonError::io(text))?);
        } else {
            self.reservations.push(reservation);
        }
        self.publications.push(publication);
        Ok(())
    }
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

    /// Takes a port where it is published: in the stage, or on the host of an ordinary user's engine.
    fn reserve_port(
        &self,
        host: SocketAddr,
        protocol: Protocol,
    ) -> Result<Reservation, NetworkError> {
        match &self.door {
            Some(door) => ports::reserve_on_host(door, host, protocol),
            None => ports::reserve(&self.stage, host, protocol),
        }
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
            let mut held = Held::default();
            for publication in publications {
                let (host, protocol) = (publication.host(), publication.protocol);
                let reserved = self.reserve_port(host, protocol);
                let added = match reserved {
                    Ok(reservation) => held.add(self, publication, reservation),
                    Err(error) => {
                        // Whoever has it now: the rule leads to the container all the same.
                        held.publications.push(publication);
                        Err(error.into())
                    }
                };
                if let Err(error) = added {
                    tracing::warn!("{}: {error}", record.id);
                }
            }
            published.by_container.insert(record.id.clone(), held);
        }
        self.apply(&mut published)
    }

    /// Puts the rules of all networks and ports in place.
    pub(super) fn apply_rules(&self) -> Result<(), DaemonError> {
        self.apply(&mut self.published())
    }

    /// Watches over the rules: who flushes all rules of the host takes ours away too, and with them what keeps
    /// containers apart. Ends with the daemon.
    pub(super) fn guard_rules(self: &Arc<Self>) {
        let (daemon, stage) = (Arc::downgrade(self), self.stage.clone());
        let thread = std::thread::Builder::new().name("rules".into());
        let started = thread.spawn(move || {
            let again = || {
                let Some(daemon) = daemon.upgrade() else {
                    return;
                };
                let mut published = daemon.published();
                published.made = false;
                match daemon.apply(&mut published) {
                    Ok(()) => tracing::warn!("the rules of networks were flushed, and set again"),
                    Err(error) => tracing::error!("{error}"),
                }
            };
            if let Err(error) = rules::guard(&stage, again) {
                tracing::error!("nobody watches over the rules: {error}");
            }
        });
        if let Err(error) = started {
            tracing::error!("nobody watches over the rules: {error}");
        }
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
                    && let Some((address, _)) = leads_to(&own, host_address)
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
        let families = if self.config.network.no_relay || !ports::has_ipv6(&self.stage)? {
            Families::Own
        } else {
            Families::Both
        };
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
                    .choose_port(&port, &binding, &own, families)
                    .map_err(|error| failed(record, error))?
                {
                    chosen.push(PortBinding {
                        host_ip: publication.host_address.to_string(),
                        host_port: publication.host_port.to_string(),
                    });
                    held.add(self, publication, reservation)?;
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
        families: Families,
    ) -> Result<Vec<(Publication, Reservation)>, DaemonError> {
        let (port, protocol) = parse_port(port)?;
        let families = if protocol == Protocol::Sctp {
            Families::Own
        } else {
            families
        };
        let places = places(binding, own, families)?;
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
                match self.reserve_port(wanted, protocol) {
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

//! What containers are called in their networks, and what each of them may ask.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::network::bridge::Reach;
use crate::network::dns::socket::Spot;
use crate::network::dns::zone::Host;
use crate::runtime::handshake::Target;
use crate::runtime::launch::{self, Found};

use super::super::Daemon;
use super::super::container::{Container, ContainerRecord};
use super::address::{addresses, dns_names};
use super::resolver::{Knowledge, Resolver};
use super::wanted::split_link;

impl Daemon {
    /// Makes the names of a running container known in its networks, and answers its questions there.
    pub(super) fn enter_names(&self, record: &ContainerRecord, engine_pid: u32) {
        self.tell_names(record);
        let mut resolvers = self.networks.resolvers();
        if !self.has_resolver(record) {
            resolvers.remove(&record.id);
            return;
        }
        let knowledge = self.knowledge(record);
        if let Some(resolver) = resolvers.get(&record.id) {
            resolver.learn(knowledge);
            return;
        }
        let names = Arc::clone(&self.networks.names);
        let started = Spot::of(&self.stage, engine_pid)
            .map_err(std::io::Error::other)
            .and_then(|spot| Resolver::start(spot, names, knowledge));
        match started {
            Ok(resolver) => drop(resolvers.insert(record.id.clone(), resolver)),
            Err(error) => tracing::error!("{} will resolve no names: {error}", record.id),
        }
    }

    /// After a restart of the daemon: containers that are alive have names and resolvers again. Their shims are asked,
    /// since the number in a record may be another process's by now.
    pub(super) fn recover_names(&self) {
        for container in self.all_containers() {
            let record = container.record();
            let Found::Alive(shim, status) = launch::find(&record.id, &self.paths) else {
                continue;
            };
            if record.state.process().is_some() {
                self.enter_names(&record, status.engine_pid);
            } else if let Err(error) = shim.signal(Target::Init, 9) {
                // A start was cut short; what it had prepared would hold its links for ever.
                tracing::debug!(
                    "the prepared container {} is gone already: {error}",
                    record.id
                );
            }
        }
    }

    fn tell_names(&self, record: &ContainerRecord) {
        let mut names = self
            .networks
            .names
            .write()
            .expect("no panic while holding it");
        names.leave_all(&record.id);
        for (name, settings) in &record.endpoints {
            let network = self.networks.lock().find(name).cloned();
            let Ok(network) = network else { continue };
            if let Some(known_as) = dns_names(&network, record) {
                self.rename_claim(&settings.endpoint_id, &record.name, &known_as);
                let host = Host {
                    names: known_as,
                    addresses: addresses(settings).collect(),
                };
                names.enter(&network.id, &network.name, &record.id, host);
            }
        }
    }

    /// Forgets a container that has ended.
    pub(super) fn leave_names(&self, id: &str) {
        self.networks.resolvers().remove(id);
        self.networks
            .names
            .write()
            .expect("no panic while holding it")
            .leave_all(id);
    }

    /// A container has another name.
    pub(crate) fn rename_in_networks(&self, container: &Arc<Container>) {
        // A copy: the lock of networks comes before that of a container.
        let record = container.record();
        for name in record.endpoints.keys() {
            let Ok(network) = self.networks.lock().find(name).cloned() else {
                continue;
            };
            let known_as = dns_names(&network, &record);
            let mut inner = container.lock();
            if let Some(settings) = inner.record.endpoints.get_mut(name)
                && settings.dns_names.is_some()
            {
                settings.dns_names = known_as;
            }
        }
        if record.state.process().is_some() {
            self.tell_names(&record);
        }
    }

    fn knowledge(&self, record: &ContainerRecord) -> Knowledge {
        let mut knowledge = Knowledge::default();
        let mut leads_out = false;
        let order = self.networks_in_order(record);
        let inner = self.networks.lock();
        for name in &order {
            let settings = &record.endpoints[name];
            let Ok(network) = inner.find(name) else {
                continue;
            };
            leads_out |= network.reach == Reach::Outside;
            if network.is_user_defined() {
                let links = settings.links.iter().flatten().map(|link| split_link(link));
                let links: BTreeMap<String, String> = links
                    .map(|(name, alias)| (alias.to_lowercase(), name.to_owned()))
                    .collect();
                knowledge.view.push((network.id.clone(), links));
            }
        }
        drop(inner);
        if leads_out {
            let servers = self.name_service(record).forward;
            let parsed = servers
                .iter()
                .filter_map(|text| text.parse::<IpAddr>().ok());
            knowledge.servers = parsed.map(|ip| SocketAddr::new(ip, 53)).collect();
        }
        knowledge
    }
}

//! Who is called what in which network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A container in one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// All its names; the first is what a reverse look-up tells.
    pub names: Vec<String>,
    /// Its addresses there.
    pub addresses: Vec<IpAddr>,
}

/// The names of all networks.
#[derive(Debug, Default)]
pub struct Zones {
    networks: BTreeMap<String, Zone>,
    /// Grows with each answer, so that replicas take turns.
    turn: AtomicUsize,
}

#[derive(Debug, Default)]
struct Zone {
    /// The network's name, which may follow a container's: `web.front`.
    name: String,
    hosts: BTreeMap<String, Host>,
    by_name: BTreeMap<String, BTreeSet<String>>,
    by_address: BTreeMap<IpAddr, String>,
}

/// The networks that somebody is in, by id and in order, and the names only they use there: alias → name.
pub type View = Vec<(String, BTreeMap<String, String>)>;

impl Zones {
    /// A container has these names in a network now, and no others.
    pub fn enter(&mut self, network: &str, network_name: &str, container: &str, host: Host) {
        self.leave(network, container);
        let zone = self.networks.entry(network.to_owned()).or_default();
        network_name.to_lowercase().clone_into(&mut zone.name);
        for name in &host.names {
            let holders = zone.by_name.entry(name.to_lowercase()).or_default();
            holders.insert(container.to_owned());
        }
        for address in &host.addresses {
            zone.by_address.insert(*address, container.to_owned());
        }
        zone.hosts.insert(container.to_owned(), host);
    }

    /// A container has no names in a network any more.
    pub fn leave(&mut self, network: &str, container: &str) {
        let Some(zone) = self.networks.get_mut(network) else {
            return;
        };
        let Some(host) = zone.hosts.remove(container) else {
            return;
        };
        for name in host.names {
            let name = name.to_lowercase();
            if let Some(holders) = zone.by_name.get_mut(&name) {
                holders.remove(container);
                if holders.is_empty() {
                    zone.by_name.remove(&name);
                }
            }
        }
        for address in host.addresses {
            if zone
                .by_address
                .get(&address)
                .is_some_and(|c| c == container)
            {
                zone.by_address.remove(&address);
            }
        }
        if zone.hosts.is_empty() {
            self.networks.remove(network);
        }
    }

    /// A container is in no network any more.
    pub fn leave_all(&mut self, container: &str) {
        let networks: Vec<String> = self.networks.keys().cloned().collect();
        for network in networks {
            self.leave(&network, container);
        }
    }

    /// The addresses of a name, as somebody with this view knows it: of the first of their networks that has it, each
    /// time beginning with another one. `None` when no network has the name.
    pub fn find(&self, view: &View, name: &str) -> Option<Vec<IpAddr>> {
        let name = name.to_lowercase();
        view.iter().find_map(|(id, links)| {
            let zone = self.networks.get(id)?;
            let bare = name
                .strip_suffix(&zone.name)
                .and_then(|rest| rest.strip_suffix('.'));
            [Some(name.as_str()), bare]
                .into_iter()
                .flatten()
                .find_map(|name| {
                    let wanted = links.get(name).map_or(name, String::as_str).to_lowercase();
                    zone.find(&wanted)
                })
                .map(|addresses| self.rotated(addresses))
        })
    }

    /// The name of an address, with its network's.
    pub fn name_of(&self, view: &View, address: IpAddr) -> Option<String> {
        view.iter().find_map(|(id, _)| {
            let zone = self.networks.get(id)?;
            let host = zone.hosts.get(zone.by_address.get(&address)?)?;
            Some(format!("{}.{}", host.names.first()?, zone.name))
        })
    }

    fn rotated(&self, mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        if addresses.len() > 1 {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let middle = turn % addresses.len();
            addresses.rotate_left(middle);
        }
        addresses
    }
}

impl Zone {
    fn find(&self, name: &str) -> Option<Vec<IpAddr>> {
        let holders = self.by_name.get(name)?;
        let hosts = holders.iter().filter_map(|id| self.hosts.get(id));
        Some(hosts.flat_map(|host| host.addresses.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(names: &[&str], address: &str) -> Host {
        Host {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            addresses: vec![address.parse().unwrap()],
        }
    }

    fn view(networks: &[&str]) -> View {
        let none = |id: &&str| ((*id).to_owned(), BTreeMap::new());
        networks.iter().map(none).collect()
    }

    fn zones() -> Zones {
        let mut zones = Zones::default();
        zones.enter("n1", "front", "c1", host(&["web-1", "web"], "10.0.0.2"));
        zones.enter("n1", "front", "c2", host(&["web-2", "web"], "10.0.0.3"));
        zones.enter("n2", "back", "c3", host(&["DB"], "10.0.1.2"));
        zones
    }

    #[test]
    fn replicas_take_turns() {
        let zones = zones();
        let first = |_| zones.find(&view(&["n1"]), "web").unwrap()[0].to_string();
        let told: Vec<_> = (0..4).map(first).collect();
        assert_eq!(told, ["10.0.0.2", "10.0.0.3", "10.0.0.2", "10.0.0.3"]);
    }

    #[test]
    fn nothing_is_told_of_other_networks() {
        let zones = zones();
        assert_eq!(zones.find(&view(&["n1"]), "db"), None);
        assert_eq!(
            zones.name_of(&view(&["n1"]), "10.0.1.2".parse().unwrap()),
            None
        );
        assert!(zones.find(&view(&["n1", "n2"]), "db").is_some());
    }

    #[test]
    fn a_name_may_carry_its_networks_and_any_case() {
        let zones = zones();
        assert!(zones.find(&view(&["n2"]), "Db.BACK").is_some());
        assert!(zones.find(&view(&["n2"]), "db.front").is_none());
        let name = zones.name_of(&view(&["n1"]), "10.0.0.3".parse().unwrap());
        assert_eq!(name.unwrap(), "web-2.front");
    }

    #[test]
    fn a_link_is_a_name_for_one_container_only() {
        let zones = zones();
        let mut linked = view(&["n1"]);
        linked[0].1.insert("first".to_owned(), "web-1".to_owned());
        assert_eq!(zones.find(&linked, "first").unwrap().len(), 1);
        assert_eq!(zones.find(&view(&["n1"]), "first"), None);
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let mut zones = zones();
        zones.leave_all("c1");
        assert_eq!(zones.find(&view(&["n1"]), "web").unwrap().len(), 1);
        zones.leave_all("c2");
        assert_eq!(zones.find(&view(&["n1"]), "web"), None);
        assert!(zones.networks.len() == 1);
    }
}

//! A container's way into its networks: addresses, links, published ports, and the files that name them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use crate::api::types::{EndpointSettings, PortBinding};
use crate::network::bridge::mac_of;

use super::container::{Container, ContainerRecord};
use super::networks::NetworkRecord;
use super::{Daemon, DaemonError, names};

impl Daemon {
    /// Takes an address in every bridge network of a container that is about to start.
    pub(crate) fn allocate(&self, record: &mut ContainerRecord) -> Result<(), DaemonError> {
        let mut inner = self.networks.lock();
        let mut given = Vec::new();
        for (name, endpoint) in &mut record.endpoints {
            let network = inner.find(name)?.clone();
            endpoint.network_id.clone_from(&network.id);
            endpoint.endpoint_id = names::random_id();
            let Some(bridge) = network.bridge() else {
                continue;
            };
            let pool = inner
                .pools
                .get_mut(&network.id)
                .expect("every bridge network has a pool");
            let asked = endpoint
                .ipam_config
                .as_ref()
                .map(|ipam| ipam.ipv4_address.clone())
                .unwrap_or_default();
            let address = if asked.is_empty() {
                pool.allocate()
            } else {
                let address = asked
                    .parse()
                    .map_err(|_| DaemonError::Invalid(format!("invalid IPv4 address: {asked}")))?;
                pool.take(address).map(|()| address)
            };
            let address = match address {
                Ok(address) => address,
                Err(error) => {
                    // What was taken before goes back: the container does not start.
                    for (id, address) in given {
                        if let Some(pool) = inner.pools.get_mut(&id) {
                            pool.release(address);
                        }
                    }
                    return Err(error.into());
                }
            };
            given.push((network.id.clone(), address));
            endpoint.ip_address = address.to_string();
            endpoint.ip_prefix_len = bridge.subnet.prefix();
            endpoint.gateway = bridge.gateway.to_string();
            endpoint.mac_address = mac_of(address).map(|byte| format!("{byte:02x}")).join(":");
        }
        Ok(())
    }

    /// Gives the addresses of a container back.
    pub(crate) fn release(&self, container: &Arc<Container>) {
        let mut networks = self.networks.lock();
        let mut inner = container.lock();
        for endpoint in inner.record.endpoints.values_mut() {
            if let (Ok(address), Some(pool)) = (
                endpoint.ip_address.parse(),
                networks.pools.get_mut(&endpoint.network_id),
            ) {
                pool.release(address);
            }
            *endpoint = EndpointSettings {
                ipam_config: endpoint.ipam_config.take(),
                aliases: endpoint.aliases.take(),
                links: endpoint.links.take(),
                driver_opts: endpoint.driver_opts.take(),
                network_id: std::mem::take(&mut endpoint.network_id),
                ..EndpointSettings::default()
            };
        }
        inner.record.published.clear();
    }

    /// Writes `hosts`, `hostname` and `resolv.conf`. In place, because a running container has the files mounted.
    pub(crate) fn write_network_files(&self, record: &ContainerRecord) -> Result<(), DaemonError> {
        let (config, host) = (&record.config, &record.host_config);
        let mut hosts = String::from(
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
             ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
        );
        for line in host.extra_hosts.iter().flatten() {
            let (name, address) = line.split_once([':', '=']).unwrap_or((line, ""));
            writeln!(hosts, "{address}\t{name}").expect("writing to a string cannot fail");
        }
        for endpoint in record
            .endpoints
            .values()
            .filter(|endpoint| !endpoint.ip_address.is_empty())
        {
            writeln!(hosts, "{}\t{}", endpoint.ip_address, config.hostname)
                .expect("writing to a string cannot fail");
        }
        let dir = self.container_dir(&record.id);
        let resolv = self.resolv_conf(record)?;
        for (name, text) in [
            ("hosts", hosts),
            ("hostname", format!("{}\n", config.hostname)),
            ("resolv.conf", resolv),
        ] {
            let path = dir.join(name);
            std::fs::File::create(&path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(DaemonError::io(format!("write {}", path.display())))?;
        }
        Ok(())
    }

    /// The machine's name servers, without those that only the machine itself reaches.
    fn resolv_conf(&self, record: &ContainerRecord) -> Result<String, DaemonError> {
        let host = &record.host_config;
        let machine = kernel::tree::Tree::open(&self.machine_root())?;
        let mut text = String::new();
        if let Ok(mut file) = machine.file(std::path::Path::new("etc/resolv.conf")) {
            // Missing or unreadable means that the machine has no name servers either.
            let _ = std::io::Read::read_to_string(&mut file, &mut text);
        }
        let own = record.host_config.network_mode == "host";
        let (dns, search) = (host.dns.iter().flatten(), host.dns_search.iter().flatten());
        let options = host.dns_options.iter().flatten();
        let mut lines: Vec<String> = dns.map(|server| format!("nameserver {server}")).collect();
        let given = !lines.is_empty();
        lines.extend(search.map(|domain| format!("search {domain}")));
        lines.extend(options.map(|option| format!("options {option}")));
        let inherited = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
            .filter(|line| {
                let server = line.strip_prefix("nameserver").map(str::trim);
                match server {
                    Some(server) => {
                        !given && (own || !(server.starts_with("127.") || server == "::1"))
                    }
                    None => true,
                }
            });
        lines.extend(inherited.map(str::to_owned));
        Ok(lines.into_iter().map(|line| line + "\n").collect())
    }

    /// Links a prepared container to its networks.
    pub(crate) fn connect(
        &self,
        record: &ContainerRecord,
        engine_pid: u32,
    ) -> Result<(), DaemonError> {
        let _ = engine_pid;
        self.tell_networks(record, "connect");
        Ok(())
    }

    /// Takes down what is left of a container's links.
    pub(crate) fn disconnect(&self, record: &ContainerRecord) {
        let _ = record;
    }

    /// Makes the bridge of a network.
    pub(crate) fn make_bridge(&self, network: &NetworkRecord) -> Result<(), DaemonError> {
        let _ = network;
        Ok(())
    }

    /// Removes the bridge of a network.
    pub(crate) fn remove_bridge(&self, network: &NetworkRecord) -> Result<(), DaemonError> {
        let _ = network;
        Ok(())
    }

    /// After a restart of the daemon: running containers have their addresses.
    pub(crate) fn recover_networks(&self) {
        let mut networks = self.networks.lock();
        for container in self.all_containers() {
            let record = container.record();
            for endpoint in record
                .endpoints
                .values()
                .filter(|_| record.state.process().is_some())
            {
                if let (Ok(address), Some(pool)) = (
                    endpoint.ip_address.parse(),
                    networks.pools.get_mut(&endpoint.network_id),
                ) && let Err(error) = pool.take(address)
                {
                    tracing::warn!(
                        "container {} has an address that is taken: {error}",
                        record.id
                    );
                }
            }
        }
    }

    /// Ports as they were asked for, with a free port where none was named.
    pub(crate) fn choose_ports(record: &ContainerRecord) -> Vec<(String, PortBinding)> {
        let bindings = record.host_config.port_bindings.iter();
        bindings
            .flat_map(|(port, list)| {
                list.iter()
                    .map(move |binding| (port.clone(), binding.clone()))
            })
            .collect()
    }
}

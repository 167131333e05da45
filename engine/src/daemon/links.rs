//! A container's way into its networks: addresses, links, published ports.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::api::types::{ConnectNetwork, EndpointSettings, PortBinding};
use crate::network::bridge::{self, BridgeNetwork, Endpoint, mac_of};
use crate::network::none;
use crate::network::ports::{self, Protocol, Publication};

use super::container::{Container, ContainerRecord};
use super::network_record::{Inner, NetworkRecord};
use super::{Daemon, DaemonError, names};

impl Daemon {
    /// Takes an address in every bridge network of a container that is about to start, and its ports.
    pub(crate) fn allocate(&self, record: &mut ContainerRecord) -> Result<(), DaemonError> {
        {
            let mut inner = self.networks.lock();
            let names: Vec<String> = record.endpoints.keys().cloned().collect();
            for name in names {
                let endpoint = record.endpoints.get_mut(&name).expect("its own key");
                if let Err(error) = take_address(&mut inner, &name, endpoint) {
                    // What was taken before goes back: the container does not start.
                    give_back(&mut inner, record);
                    return Err(error);
                }
            }
        }
        self.choose_ports(record)
            .inspect_err(|_| give_back(&mut self.networks.lock(), record))
    }

    /// Gives the addresses of a container back.
    pub(crate) fn release(&self, container: &Arc<Container>) {
        let mut networks = self.networks.lock();
        give_back(&mut networks, &mut container.lock().record);
    }

    /// Links a prepared container to its networks.
    pub(crate) fn connect(
        &self,
        record: &ContainerRecord,
        engine_pid: u32,
    ) -> Result<(), DaemonError> {
        for (index, name) in networks_in_order(record).into_iter().enumerate() {
            let network = self.networks.lock().find(name)?.clone();
            match network.bridge() {
                Some(network) => self.link(network, &record.endpoints[name], index, engine_pid)?,
                None if network.name == "none" => none::attach(engine_pid)?,
                None => {}
            }
        }
        if !record.published.is_empty() {
            self.apply_ports(Some(record))?;
        }
        self.tell_networks(record, "connect");
        Ok(())
    }

    fn link(
        &self,
        network: &BridgeNetwork,
        settings: &EndpointSettings,
        index: usize,
        engine_pid: u32,
    ) -> Result<(), DaemonError> {
        // Somebody in the machine may have removed it.
        bridge::create(&self.stage, network)?;
        Ok(bridge::attach(
            &self.stage,
            network,
            engine_pid,
            &endpoint(settings, index)?,
        )?)
    }

    /// Takes down what is left of a container's links after its end: the rules of its ports.
    pub(crate) fn disconnect(&self, record: &ContainerRecord) {
        // The record of the container says already that it has ended, so its ports are not among the live ones.
        if !record.published.is_empty()
            && let Err(error) = self.apply_ports(None)
        {
            tracing::error!("the ports of {} stay published: {error}", record.id);
        }
    }

    /// Puts the rules of all live ports in place, those of a container about to run included.
    fn apply_ports(&self, starting: Option<&ContainerRecord>) -> Result<(), DaemonError> {
        let networks: Vec<BridgeNetwork> = self
            .networks
            .lock()
            .records
            .iter()
            .filter_map(NetworkRecord::bridge)
            .cloned()
            .collect();
        let running = self
            .all_containers()
            .into_iter()
            .map(|container| container.record());
        let running = running.filter(|record| record.state.process().is_some());
        let live: Vec<Publication> = running
            .chain(starting.cloned())
            .flat_map(|record| publications(&record))
            .collect();
        Ok(ports::apply(&self.stage, &networks, &live)?)
    }

    /// Makes the bridge of a network.
    pub(crate) fn make_bridge(&self, network: &NetworkRecord) -> Result<(), DaemonError> {
        if let Some(network) = network.bridge() {
            bridge::create(&self.stage, network)?;
            self.apply_ports(None)?;
        }
        Ok(())
    }

    /// Removes the bridge of a network.
    pub(crate) fn remove_bridge(&self, network: &NetworkRecord) -> Result<(), DaemonError> {
        match network.bridge() {
            Some(network) => Ok(bridge::remove(&self.stage, network)?),
            None => Ok(()),
        }
    }

    /// After a restart of the daemon: running containers have their addresses.
    pub(crate) fn recover_networks(&self) {
        self.recover_addresses();
        let records = self.networks.lock().records.clone();
        for network in records.iter().filter_map(NetworkRecord::bridge) {
            if let Err(error) = bridge::create(&self.stage, network) {
                tracing::error!("{error}: containers of this network will not start");
            }
        }
        if let Err(error) = self.apply_ports(None) {
            tracing::error!("{error}");
        }
    }

    fn recover_addresses(&self) {
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

    /// Resolves the ports a container publishes: a free one where none was named, a refusal where one is taken.
    fn choose_ports(&self, record: &mut ContainerRecord) -> Result<(), DaemonError> {
        record.published.clear();
        if !record
            .endpoints
            .values()
            .any(|endpoint| !endpoint.ip_address.is_empty())
        {
            return Ok(());
        }
        let mut wanted = record.host_config.port_bindings.clone();
        if record.host_config.publish_all_ports {
            for port in record.config.exposed_ports.keys() {
                wanted
                    .entry(port.clone())
                    .or_insert_with(|| vec![PortBinding::default()]);
            }
        }
        let others = self
            .all_containers()
            .into_iter()
            .map(|container| container.record());
        let mut taken: Vec<Publication> = others
            .filter(|other| other.id != record.id && other.state.process().is_some())
            .flat_map(|other| publications(&other))
            .collect();
        for (port, bindings) in wanted {
            let mut chosen = Vec::new();
            for binding in bindings {
                let publication = self.choose_port(&port, &binding, &taken)?;
                chosen.push(PortBinding {
                    host_ip: publication.host_address.to_string(),
                    host_port: publication.host_port.to_string(),
                });
                taken.push(publication);
            }
            record.published.insert(port, chosen);
        }
        Ok(())
    }

    fn choose_port(
        &self,
        port: &str,
        binding: &PortBinding,
        taken: &[Publication],
    ) -> Result<Publication, DaemonError> {
        let bad = || {
            DaemonError::Invalid(format!(
                "invalid port specification: {}:{port}",
                binding.host_port
            ))
        };
        let (port, protocol) = parse_port(port)?;
        let host_address = match binding.host_ip.as_str() {
            "" => Ipv4Addr::UNSPECIFIED,
            text => text.parse().map_err(|_| {
                DaemonError::Unsupported(format!("publishing on the address {text:?}"))
            })?,
        };
        let asked: u16 = if binding.host_port.is_empty() {
            0
        } else {
            binding.host_port.parse().map_err(|_| bad())?
        };
        for _ in 0..64 {
            let host_port = ports::find_free(&self.stage, host_address, asked, protocol)?;
            let clash = taken.iter().any(|other| {
                let everywhere =
                    other.host_address.is_unspecified() || host_address.is_unspecified();
                other.host_port == host_port
                    && other.protocol == protocol
                    && (everywhere || other.host_address == host_address)
            });
            if !clash {
                return Ok(Publication {
                    host_address,
                    host_port,
                    address: Ipv4Addr::UNSPECIFIED,
                    port,
                    protocol,
                });
            }
            if asked != 0 {
                break;
            }
        }
        let text = format!("Bind for {host_address}:{asked} failed: port is already allocated");
        Err(DaemonError::Forbidden(text))
    }

    /// Joins a container to one more network.
    pub async fn connect_network(
        self: &Arc<Self>,
        text: &str,
        request: ConnectNetwork,
    ) -> Result<(), DaemonError> {
        let container = self.container(&request.container)?;
        let network = self.networks.lock().find(text)?.clone();
        let _turn = container.turn.lock().await;
        let joining = Arc::clone(&container);
        self.block(move |daemon| {
            daemon.join(
                &joining,
                &network,
                request.endpoint_config.unwrap_or_default(),
            )
        })
        .await
    }

    fn join(
        &self,
        container: &Arc<Container>,
        network: &NetworkRecord,
        asked: EndpointSettings,
    ) -> Result<(), DaemonError> {
        let mut record = container.record();
        let Some(bridge_network) = network.bridge() else {
            let text = format!("container cannot be connected to {} network", network.name);
            return Err(DaemonError::Forbidden(text));
        };
        if record.host_config.network_mode == "host"
            || record.host_config.network_mode.starts_with("container:")
        {
            let text = "container sharing network namespace with another container or host cannot be connected to any other network";
            return Err(DaemonError::Invalid(text.into()));
        }
        if record.endpoints.contains_key(&network.name) {
            let text = format!(
                "endpoint with name {} already exists in network {}",
                record.name, network.name
            );
            return Err(DaemonError::Forbidden(text));
        }
        let mut settings = EndpointSettings {
            network_id: network.id.clone(),
            ..asked
        };
        if let Some(process) = record.state.process() {
            take_address(&mut self.networks.lock(), &network.name, &mut settings)?;
            let index = record.endpoints.len();
            if let Err(error) = self.link(bridge_network, &settings, index, process.engine_pid) {
                record.endpoints.insert(network.name.clone(), settings);
                record.endpoints.retain(|name, _| *name == network.name);
                give_back(&mut self.networks.lock(), &mut record);
                return Err(error);
            }
        }
        container
            .lock()
            .record
            .endpoints
            .insert(network.name.clone(), settings);
        self.save(container)?;
        self.tell_network(network, "connect", Some(&container.id));
        Ok(())
    }

    /// Takes a container out of a network.
    pub async fn disconnect_network(
        self: &Arc<Self>,
        text: &str,
        name: &str,
    ) -> Result<(), DaemonError> {
        let container = self.container(name)?;
        let network = self.networks.lock().find(text)?.clone();
        let _turn = container.turn.lock().await;
        let leaving = Arc::clone(&container);
        self.block(move |daemon| {
            let container = leaving;
            let record = container.record();
            let Some(settings) = record.endpoints.get(&network.name) else {
                let text = format!(
                    "container {} is not connected to network {}",
                    record.id, network.name
                );
                return Err(DaemonError::Forbidden(text));
            };
            if record.state.process().is_some() && network.bridge().is_some() {
                bridge::detach(&daemon.stage, &endpoint(settings, 0)?)?;
                let mut gone = record.clone();
                gone.endpoints.retain(|name, _| *name == network.name);
                give_back(&mut daemon.networks.lock(), &mut gone);
            }
            container.lock().record.endpoints.remove(&network.name);
            daemon.save(&container)?;
            daemon.tell_network(&network, "disconnect", Some(&record.id));
            Ok(())
        })
        .await
    }
}

/// The network of `--network` first: it becomes `eth0` and the way out.
fn networks_in_order(record: &ContainerRecord) -> Vec<&str> {
    let mut names: Vec<&str> = record.endpoints.keys().map(String::as_str).collect();
    names.sort_by_key(|name| *name != record.host_config.network_mode);
    names
}

fn take_address(
    inner: &mut Inner,
    name: &str,
    settings: &mut EndpointSettings,
) -> Result<(), DaemonError> {
    let network = inner.find(name)?.clone();
    settings.network_id.clone_from(&network.id);
    settings.endpoint_id = names::random_id();
    let Some(bridge) = network.bridge() else {
        return Ok(());
    };
    let pool = inner
        .pools
        .get_mut(&network.id)
        .expect("every bridge network has a pool");
    let asked = settings
        .ipam_config
        .as_ref()
        .map(|ipam| ipam.ipv4_address.clone())
        .unwrap_or_default();
    let address = if asked.is_empty() {
        pool.allocate()?
    } else {
        let address = asked
            .parse()
            .map_err(|_| DaemonError::Invalid(format!("invalid IPv4 address: {asked}")))?;
        pool.take(address)?;
        address
    };
    settings.ip_address = address.to_string();
    settings.ip_prefix_len = bridge.subnet.prefix();
    settings.gateway = bridge.gateway.to_string();
    settings.mac_address = mac_of(address).map(|byte| format!("{byte:02x}")).join(":");
    Ok(())
}

/// Forgets what a run was given; what was asked for stays.
fn give_back(inner: &mut Inner, record: &mut ContainerRecord) {
    for settings in record.endpoints.values_mut() {
        if let (Ok(address), Some(pool)) = (
            settings.ip_address.parse(),
            inner.pools.get_mut(&settings.network_id),
        ) {
            pool.release(address);
        }
        *settings = EndpointSettings {
            ipam_config: settings.ipam_config.take(),
            aliases: settings.aliases.take(),
            links: settings.links.take(),
            driver_opts: settings.driver_opts.take(),
            network_id: std::mem::take(&mut settings.network_id),
            ..EndpointSettings::default()
        };
    }
    record.published.clear();
}

fn endpoint(settings: &EndpointSettings, index: usize) -> Result<Endpoint, DaemonError> {
    let bad = || DaemonError::Invalid(format!("invalid IPv4 address: {}", settings.ip_address));
    let address = settings.ip_address.parse().map_err(|_| bad())?;
    Ok(Endpoint {
        host_interface: format!("veth{}", settings.endpoint_id.get(..7).unwrap_or_default()),
        interface: format!("eth{index}"),
        address,
        mac: mac_of(address),
    })
}

/// The live ports of a container, leading to its address in its first bridge network.
fn publications(record: &ContainerRecord) -> Vec<Publication> {
    let order = networks_in_order(record);
    let Some(address) = order
        .iter()
        .find_map(|name| record.endpoints[*name].ip_address.parse::<Ipv4Addr>().ok())
    else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (port, bindings) in &record.published {
        let Ok((port, protocol)) = parse_port(port) else {
            continue;
        };
        for binding in bindings {
            if let (Ok(host_address), Ok(host_port)) =
                (binding.host_ip.parse(), binding.host_port.parse())
            {
                all.push(Publication {
                    host_address,
                    host_port,
                    address,
                    port,
                    protocol,
                });
            }
        }
    }
    all
}

/// `80/tcp`; without a protocol it is TCP.
fn parse_port(text: &str) -> Result<(u16, Protocol), DaemonError> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let port = port
        .parse()
        .map_err(|_| DaemonError::Invalid(format!("invalid port specification: {text}")))?;
    match protocol {
        "tcp" => Ok((port, Protocol::Tcp)),
        "udp" => Ok((port, Protocol::Udp)),
        other => Err(DaemonError::Unsupported(format!(
            "publishing the protocol {other:?}"
        ))),
    }
}

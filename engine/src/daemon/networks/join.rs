//! `network connect` and `network disconnect`.

use std::sync::Arc;

use crate::api::types::{ConnectNetwork, EndpointSettings};
use crate::network::endpoint;

use super::super::container::{Container, ContainerRecord};
use super::super::{Daemon, DaemonError};
use super::attach;
use super::record::{Driver, NetworkRecord};
use super::wanted::{Attachment, check_settings, told};

impl Daemon {
    /// Joins a container to one more network.
    pub async fn connect_network(
        self: &Arc<Self>,
        text: &str,
        request: ConnectNetwork,
    ) -> Result<(), DaemonError> {
        let network = self.networks.lock().find(text)?.clone();
        let container = self.container(&request.container)?;
        let _turn = container.turn.lock().await;
        let joining = Arc::clone(&container);
        self.block(move |daemon| {
            let asked = request.endpoint_config.unwrap_or_default();
            daemon.join(&joining, &network, asked)
        })
        .await
    }

    fn join(
        self: &Arc<Self>,
        container: &Arc<Container>,
        network: &NetworkRecord,
        asked: EndpointSettings,
    ) -> Result<(), DaemonError> {
        let mut record = container.record();
        self.check_join(&record, network)?;
        if let Some(text) = told(&check_settings(network, &asked)) {
            let text = format!("invalid endpoint settings:\n{text}");
            return Err(DaemonError::Invalid(text));
        }
        let attachment = Attachment {
            asked_mac: asked.mac_address.clone(),
            interface: String::new(),
        };
        let settings = EndpointSettings {
            network_id: network.id.clone(),
            ..asked
        };
        record.attachments.insert(network.name.clone(), attachment);
        record.endpoints.insert(network.name.clone(), settings);
        if let Some(process) = record.state.process().cloned() {
            self.take(&network.name, &mut record)?;
            let linked = self.link(
                network,
                &record.endpoints[&network.name],
                process.engine_pid,
            );
            match linked {
                Ok(interface) => {
                    let attachment = record.attachments.entry(network.name.clone());
                    attachment.or_default().interface = interface;
                }
                Err(error) => {
                    self.give_back(&mut record, Some(&network.name));
                    return Err(error);
                }
            }
        }
        self.keep(container, &record);
        self.after_change(container, &record)?;
        self.tell_network(network, "connect", Some(&container.id));
        Ok(())
    }

    fn check_join(
        &self,
        record: &ContainerRecord,
        network: &NetworkRecord,
    ) -> Result<(), DaemonError> {
        let mode = record.host_config.network_mode.as_str();
        let refuse = |text: &str| Err(DaemonError::Invalid(text.to_owned()));
        if record.endpoints.contains_key(&network.name) {
            let text = format!(
                "endpoint with name {} already exists in network {}",
                record.name, network.name
            );
            return Err(DaemonError::Forbidden(text));
        }
        if matches!(network.driver, Driver::Host) || mode == "host" {
            return refuse(
                "container cannot be disconnected from host network or connected to host network",
            );
        }
        if mode.starts_with("container:") {
            return refuse(
                "container sharing network namespace with another container or host cannot be connected to any other network",
            );
        }
        let alone = matches!(network.driver, Driver::Null) && !record.endpoints.is_empty();
        if alone || record.endpoints.contains_key("none") {
            return refuse(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode",
            );
        }
        Ok(())
    }

    /// Takes a container out of a network.
    pub async fn disconnect_network(
        self: &Arc<Self>,
        text: &str,
        name: &str,
    ) -> Result<(), DaemonError> {
        let network = self.networks.lock().find(text)?.clone();
        let container = self.container(name)?;
        let _turn = container.turn.lock().await;
        let leaving = Arc::clone(&container);
        self.block(move |daemon| daemon.leave(&leaving, &network))
            .await
    }

    fn leave(
        self: &Arc<Self>,
        container: &Arc<Container>,
        network: &NetworkRecord,
    ) -> Result<(), DaemonError> {
        let mut record = container.record();
        if !record.endpoints.contains_key(&network.name) {
            let text = format!(
                "container {} is not connected to network {}",
                record.id, network.name
            );
            return Err(DaemonError::Forbidden(text));
        }
        if matches!(network.driver, Driver::Host) {
            return Err(DaemonError::Invalid(
                "container cannot be disconnected from host network or connected to host network"
                    .into(),
            ));
        }
        let process = record.state.process().cloned();
        if process.is_some() {
            self.unlink(network, &record)?;
            self.give_back(&mut record, Some(&network.name));
        }
        record.endpoints.remove(&network.name);
        record.attachments.remove(&network.name);
        self.keep(container, &record);
        if let Some(process) = process {
            self.restore_way_out(&record, process.engine_pid)?;
        }
        self.after_change(container, &record)?;
        self.tell_network(network, "disconnect", Some(&record.id));
        Ok(())
    }

    /// The way out went with its network: the next network offers one.
    fn restore_way_out(&self, record: &ContainerRecord, pid: u32) -> Result<(), DaemonError> {
        for name in self.networks_in_order(record) {
            let network = self.networks.lock().find(&name)?.clone();
            let interface = record
                .attachments
                .get(&name)
                .map(|attachment| attachment.interface.clone())
                .unwrap_or_default();
            let endpoint = attach::endpoint(&network, &record.endpoints[&name], interface);
            endpoint::restore_way_out(pid, &endpoint)?;
        }
        Ok(())
    }

    /// Puts the changed places into the container's record.
    fn keep(&self, container: &Arc<Container>, record: &ContainerRecord) {
        let mut inner = container.lock();
        inner.record.endpoints.clone_from(&record.endpoints);
        inner.record.attachments.clone_from(&record.attachments);
    }

    /// What depends on the networks of a container: its files and its published ports.
    fn after_change(
        self: &Arc<Self>,
        container: &Arc<Container>,
        record: &ContainerRecord,
    ) -> Result<(), DaemonError> {
        if let Some(process) = record.state.process() {
            self.rewrite_network_files(record)?;
            self.enter_names(record, process.engine_pid);
            self.republish(container)?;
        }
        self.save(container)
    }
}

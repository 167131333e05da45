//! `--link` on the default bridge: lines in `hosts` and variables in the environment, as Docker has always made them.

use std::fmt::Write as _;
use std::sync::Arc;

use super::super::container::ContainerRecord;
use super::super::{Daemon, DaemonError};
use super::address::addresses;
use super::wanted::split_link;

impl Daemon {
    /// Takes a link from a container (`docker rm --link`). What its environment tells stays, as it was born with it.
    pub async fn remove_link(self: &Arc<Self>, text: &str, alias: &str) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let _turn = container.turn.lock().await;
        let alias = alias.to_owned();
        let container = Arc::clone(&container);
        self.block(move |daemon| {
            {
                let mut inner = container.lock();
                let links = inner.record.host_config.links.get_or_insert_default();
                let before = links.len();
                links.retain(|link| split_link(link).1 != alias);
                if links.len() == before {
                    let text = format!("No such container: {}/{alias}", inner.record.name);
                    return Err(DaemonError::NotFoundText(text));
                }
                if links.is_empty() {
                    inner.record.host_config.links = None;
                }
            }
            daemon.save(&container)
        })
        .await
    }

    /// A line for each linked container that runs.
    pub(super) fn linked_hosts(&self, record: &ContainerRecord) -> String {
        let mut lines = String::new();
        for (alias, other) in self.linked(record) {
            for address in other
                .endpoints
                .get("bridge")
                .into_iter()
                .flat_map(addresses)
            {
                let mut names = vec![alias.as_str(), &other.config.hostname, &other.name];
                names.dedup();
                writeln!(lines, "{address}\t{}", names.join(" "))
                    .expect("writing to a string cannot fail");
            }
        }
        lines
    }

    /// Variables that tell of each linked container that runs.
    pub(crate) fn link_environment(&self, record: &ContainerRecord) -> Vec<String> {
        let mut all = Vec::new();
        for (alias, other) in self.linked(record) {
            let address = other
                .endpoints
                .get("bridge")
                .and_then(|e| addresses(e).next());
            if let Some(address) = address {
                all.extend(variables(record, &alias, &other, &address.to_string()));
            }
        }
        all
    }

    /// The running containers that one is linked to, by alias.
    fn linked(&self, record: &ContainerRecord) -> Vec<(String, ContainerRecord)> {
        if !record.endpoints.contains_key("bridge") {
            return Vec::new();
        }
        let links = record.host_config.links.iter().flatten();
        links
            .filter_map(|link| {
                let (name, alias) = split_link(link);
                let other = self.container(name).ok()?.record();
                other.state.process()?;
                Some((alias.to_owned(), other))
            })
            .collect()
    }
}

fn variables(
    record: &ContainerRecord,
    alias: &str,
    other: &ContainerRecord,
    address: &str,
) -> Vec<String> {
    let prefix = alias.to_uppercase().replace('-', "_");
    let mut all = vec![format!("{prefix}_NAME=/{}/{alias}", record.name)];
    for (index, port) in other.config.exposed_ports.keys().enumerate() {
        let (port, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let place = format!("{protocol}://{address}:{port}");
        if index == 0 {
            all.push(format!("{prefix}_PORT={place}"));
        }
        let name = format!("{prefix}_PORT_{port}_{}", protocol.to_uppercase());
        all.push(format!("{name}={place}"));
        all.push(format!("{name}_ADDR={address}"));
        all.push(format!("{name}_PORT={port}"));
        all.push(format!("{name}_PROTO={protocol}"));
    }
    // What every container has says nothing about this one.
    let own = other.config.env.iter().filter(|variable| {
        let name = variable.split('=').next().unwrap_or_default();
        !matches!(name, "HOME" | "PATH")
    });
    all.extend(own.map(|variable| format!("{prefix}_ENV_{variable}")));
    all
}

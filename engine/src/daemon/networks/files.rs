//! The files of a container that name its networks: `hosts`, `hostname`, `resolv.conf`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::path::Path;

use kernel::tree::Tree;

use super::super::container::ContainerRecord;
use super::super::{Daemon, DaemonError};
use super::address::addresses;

const LOCAL_HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
                           ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

impl Daemon {
    /// Writes the files of a container that is about to start.
    pub(crate) fn write_network_files(&self, record: &ContainerRecord) -> Result<(), DaemonError> {
        self.write_file(record, "hosts", &self.hosts(record)?)?;
        let hostname = format!("{}\n", record.config.hostname);
        self.write_file(record, "hostname", &hostname)?;
        self.write_file(record, "resolv.conf", &self.resolv_conf(record)?)
    }

    /// Brings the files of a running container up to date with its networks; what was added by hand stays.
    pub(super) fn rewrite_network_files(
        &self,
        record: &ContainerRecord,
    ) -> Result<(), DaemonError> {
        let now = self.read_file(record, "hosts");
        let own = format!("\t{}", record.config.hostname);
        let mut hosts: String = now
            .lines()
            .filter(|line| !line.ends_with(&own))
            .map(|line| format!("{line}\n"))
            .collect();
        hosts.push_str(&own_lines(record));
        self.write_file(record, "hosts", &hosts)?;
        let text = self.read_file(record, "resolv.conf");
        if text.is_empty() || text.contains(MADE_HERE) {
            self.write_file(record, "resolv.conf", &self.resolv_conf(record)?)?;
        }
        Ok(())
    }

    fn read_file(&self, record: &ContainerRecord, name: &str) -> String {
        // A file that its container made unreadable is written anew.
        std::fs::read_to_string(self.container_dir(&record.id).join(name)).unwrap_or_default()
    }

    /// In place, because a running container has the file mounted.
    fn write_file(
        &self,
        record: &ContainerRecord,
        name: &str,
        text: &str,
    ) -> Result<(), DaemonError> {
        let path = self.container_dir(&record.id).join(name);
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(DaemonError::io(format!("write {}", path.display())))
    }

    fn hosts(&self, record: &ContainerRecord) -> Result<String, DaemonError> {
        if record.host_config.network_mode == "host" {
            let machine = self.machine_file("etc/hosts");
            return Ok(machine + &self.extra_hosts(record)?);
        }
        let mut hosts = LOCAL_HOSTS.to_owned();
        hosts.push_str(&self.extra_hosts(record)?);
        hosts.push_str(&self.linked_hosts(record));
        hosts.push_str(&own_lines(record));
        Ok(hosts)
    }

    /// `--add-host`.
    fn extra_hosts(&self, record: &ContainerRecord) -> Result<String, DaemonError> {
        let mut lines = String::new();
        for line in record.host_config.extra_hosts.iter().flatten() {
            let (name, address) = line.split_once([':', '=']).unwrap_or((line, ""));
            let addresses = match address {
                "host-gateway" => self.host_gateway()?,
                address => vec![address.trim_matches(['[', ']']).to_owned()],
            };
            for address in addresses {
                writeln!(lines, "{address}\t{name}").expect("writing to a string cannot fail");
            }
        }
        Ok(lines)
    }

    /// The host as containers reach it: the default bridge's own addresses, unless configured.
    fn host_gateway(&self) -> Result<Vec<String>, DaemonError> {
        let configured = &self.config.network.host_gateway;
        if !configured.is_empty() {
            return Ok(configured.iter().map(IpAddr::to_string).collect());
        }
        let inner = self.networks.lock();
        let bridge = inner.find("bridge").map_err(|_| {
            let text = "unable to derive the IP value for host-gateway: there is no default bridge, so set host-gateway-ip in daemon.json";
            DaemonError::Invalid(text.into())
        })?;
        Ok(bridge
            .addressing
            .iter()
            .map(|addressing| addressing.gateway.to_string())
            .collect())
    }

    pub(super) fn machine_file(&self, path: &str) -> String {
        let mut text = String::new();
        if let Ok(machine) = Tree::open(&self.machine_root())
            && let Ok(mut file) = machine.file(Path::new(path))
        {
            // Missing or unreadable means that the machine has nothing to say either.
            let _ = file.read_to_string(&mut text);
        }
        text
    }

    /// What the machine says, changed by what the container and the engine's configuration ask for.
    fn resolv_conf(&self, record: &ContainerRecord) -> Result<String, DaemonError> {
        let names = self.name_service(record);
        let mut text = format!("{MADE_HERE}\n");
        for server in &names.listed {
            writeln!(text, "nameserver {server}").expect("writing to a string cannot fail");
        }
        if !names.search.is_empty() {
            writeln!(text, "search {}", names.search.join(" "))
                .expect("writing to a string cannot fail");
        }
        if !names.options.is_empty() {
            writeln!(text, "options {}", names.options.join(" "))
                .expect("writing to a string cannot fail");
        }
        Ok(text)
    }

    /// Which servers a container asks, and how.
    pub(super) fn name_service(&self, record: &ContainerRecord) -> NameService {
        let host = &record.host_config;
        let config = &self.config.network;
        let machine = NameService::parse(&self.machine_file("etc/resolv.conf"));
        let own = host.network_mode == "host";
        let first =
            |asked: &Option<Vec<String>>, configured: &[String], machine: Vec<String>| match asked
                .as_ref()
                .filter(|asked| !asked.is_empty())
            {
                Some(asked) => asked.clone(),
                None if !configured.is_empty() => configured.to_vec(),
                None => machine,
            };
        let mut names = NameService {
            listed: first(&host.dns, &config.dns, machine.listed),
            search: first(&host.dns_search, &config.dns_search, machine.search),
            options: first(&host.dns_options, &config.dns_options, machine.options),
            forward: Vec::new(),
        };
        // A single dot means none at all.
        names.search.retain(|domain| domain != ".");
        let is_local = |server: &String| server.starts_with("127.") || server == "::1";
        names.forward = names.listed.clone();
        if self.has_resolver(record) {
            names.listed = vec![RESOLVER.to_owned()];
            if !names
                .options
                .iter()
                .any(|option| option.starts_with("ndots:"))
            {
                names.options.push("ndots:0".to_owned());
            }
        } else if !own && host.dns.as_ref().is_none_or(Vec::is_empty) {
            names.listed.retain(|server| !is_local(server));
        }
        names
    }

    /// Whether the engine answers the questions of a container: in every network that somebody made.
    pub(super) fn has_resolver(&self, record: &ContainerRecord) -> bool {
        let inner = self.networks.lock();
        record
            .endpoints
            .keys()
            .filter_map(|name| inner.find(name).ok())
            .any(|network| network.is_user_defined() && network.has_endpoints())
    }
}

/// Where the engine answers, inside each container.
pub(super) const RESOLVER: &str = "127.0.0.11";

/// A file that begins so is the engine's to change.
const MADE_HERE: &str =
    "# Generated by the engine. It changes this file no more once this line is gone.";

/// Servers, search domains and options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NameService {
    /// As the container's file lists them.
    pub(super) listed: Vec<String>,
    pub(super) search: Vec<String>,
    pub(super) options: Vec<String>,
    /// Who is asked what the engine does not know.
    pub(super) forward: Vec<String>,
}

impl NameService {
    fn parse(text: &str) -> Self {
        let mut names = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (key, values) = (words.next(), words.map(str::to_owned));
            match key {
                Some("nameserver") => names.listed.extend(values.take(1)),
                // The last one counts; see resolv.conf(5).
                Some("search" | "domain") => names.search = values.collect(),
                Some("options") => names.options.extend(values),
                _ => {}
            }
        }
        names
    }
}

/// The container's own name at each of its addresses.
fn own_lines(record: &ContainerRecord) -> String {
    let mut lines = String::new();
    for address in record.endpoints.values().flat_map(addresses) {
        writeln!(lines, "{address}\t{}", record.config.hostname)
            .expect("writing to a string cannot fail");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_read_as_the_resolver_reads_it() {
        let text = "# note\nnameserver 10.0.0.1\ndomain old\nsearch a b\noptions ndots:2 rotate\n";
        let names = NameService::parse(text);
        assert_eq!(names.listed, ["10.0.0.1"]);
        assert_eq!(names.search, ["a", "b"]);
        assert_eq!(names.options, ["ndots:2", "rotate"]);
    }
}

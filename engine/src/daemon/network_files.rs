//! The files of a container that name its networks: `hosts`, `hostname`, `resolv.conf`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::Path;

use kernel::tree::Tree;

use super::container::ContainerRecord;
use super::{Daemon, DaemonError};

const LOCAL_HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
                           ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

impl Daemon {
    /// Writes the files. In place, because a running container has them mounted.
    pub(crate) fn write_network_files(&self, record: &ContainerRecord) -> Result<(), DaemonError> {
        let dir = self.container_dir(&record.id);
        let texts = [
            ("hosts", hosts(record)),
            ("hostname", format!("{}\n", record.config.hostname)),
            ("resolv.conf", self.resolv_conf(record)?),
        ];
        for (name, text) in texts {
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
        let machine = Tree::open(&self.machine_root())?;
        let mut text = String::new();
        if let Ok(mut file) = machine.file(Path::new("etc/resolv.conf")) {
            // Missing or unreadable means that the machine has no name servers either.
            let _ = file.read_to_string(&mut text);
        }
        let own = host.network_mode == "host";
        let mut lines: Vec<String> = host
            .dns
            .iter()
            .flatten()
            .map(|server| format!("nameserver {server}"))
            .collect();
        let given = !lines.is_empty();
        lines.extend(
            host.dns_search
                .iter()
                .flatten()
                .map(|domain| format!("search {domain}")),
        );
        lines.extend(
            host.dns_options
                .iter()
                .flatten()
                .map(|option| format!("options {option}")),
        );
        let inherited = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
            .filter(
                |line| match line.strip_prefix("nameserver").map(str::trim) {
                    Some(server) => {
                        !given && (own || !(server.starts_with("127.") || server == "::1"))
                    }
                    None => true,
                },
            );
        lines.extend(inherited.map(str::to_owned));
        Ok(lines.into_iter().map(|line| line + "\n").collect())
    }
}

fn hosts(record: &ContainerRecord) -> String {
    let mut hosts = LOCAL_HOSTS.to_owned();
    for line in record.host_config.extra_hosts.iter().flatten() {
        let (name, address) = line.split_once([':', '=']).unwrap_or((line, ""));
        writeln!(hosts, "{address}\t{name}").expect("writing to a string cannot fail");
    }
    for endpoint in record
        .endpoints
        .values()
        .filter(|endpoint| !endpoint.ip_address.is_empty())
    {
        let line = format!("{}\t{}", endpoint.ip_address, record.config.hostname);
        writeln!(hosts, "{line}").expect("writing to a string cannot fail");
    }
    hosts
}

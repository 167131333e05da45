//! Names → addresses, without the C library: the executable is static.
//!
//! The files of the place the engine works for are read (`etc/hosts`, `etc/resolv.conf` below a root), which in a
//! learner's machine are not those of the engine's own process.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use hickory_resolver::TokioResolver;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks names up as the files below a root say.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    root: PathBuf,
    /// The registry itself may be anywhere; what it sends us to may not be this machine.
    trusted: String,
}

/// A name without an address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("dial tcp: lookup {name}: {source}")]
    Server {
        name: String,
        source: hickory_resolver::net::NetError,
    },
    #[error("dial tcp: lookup {name}: no such host")]
    NoServer { name: String },
    #[error("refused to follow the registry to {name}: it is an address of this machine")]
    Inward { name: String },
}

impl Resolver {
    pub(crate) fn new(root: &Path, trusted: &str) -> Self {
        Self {
            root: root.to_owned(),
            trusted: trusted.to_owned(),
        }
    }

    async fn addresses(self, name: String) -> Result<Vec<IpAddr>, LookupError> {
        let found = self.look_up(&name).await?;
        if name != self.trusted && found.iter().any(|address| is_inward(*address)) {
            return Err(LookupError::Inward { name });
        }
        Ok(found)
    }

    /// The addresses of a name, wherever they are.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let hosts = std::fs::read_to_string(self.root.join("etc/hosts")).unwrap_or_default();
        let known = in_hosts(&hosts, name);
        if !known.is_empty() {
            return Ok(known);
        }
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![IpAddr::from([127, 0, 0, 1])]);
        }
        let no_server = || LookupError::NoServer {
            name: name.to_owned(),
        };
        let server = |source| LookupError::Server {
            name: name.to_owned(),
            source,
        };
        let file = std::fs::read(self.root.join("etc/resolv.conf")).map_err(|_| no_server())?;
        let (config, options) = parse_resolv_conf(file).map_err(|_| no_server())?;
        if config.name_servers().is_empty() {
            return Err(no_server());
        }
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(server)?;
        let found = resolver.lookup_ip(name).await.map_err(server)?;
        Ok(found.iter().collect())
    }
}

/// The addresses of a name in hosts(5).
fn in_hosts(hosts: &str, name: &str) -> Vec<IpAddr> {
    let lines = hosts.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse::<IpAddr>().ok()?;
        words
            .any(|word| word.eq_ignore_ascii_case(name))
            .then_some(address)
    });
    lines.collect()
}

/// Loopback, link-local and unspecified addresses: no registry outside may send us there.
pub(super) fn is_inward(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_inward(mapped.into()),
            None => {
                address.is_loopback()
                    || address.is_unspecified()
                    || address.segments()[0] & 0xffc0 == 0xfe80
            }
        },
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, name) = (self.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let found = resolver.addresses(name).await?;
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_is_read() {
        let hosts = "127.0.0.1 localhost\n10.0.0.5 r.test Alias # r.other\n# 1.1.1.1 r.test\n";
        assert_eq!(in_hosts(hosts, "R.TEST"), [IpAddr::from([10, 0, 0, 5])]);
        assert_eq!(in_hosts(hosts, "alias"), [IpAddr::from([10, 0, 0, 5])]);
        assert!(in_hosts(hosts, "r.other").is_empty());
    }

    #[test]
    fn inward_addresses_are_known() {
        for inward in [
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_inward(inward.parse().unwrap()), "{inward}");
        }
        for outward in ["10.0.0.1", "1.1.1.1", "2001:db8::1"] {
            assert!(!is_inward(outward.parse().unwrap()), "{outward}");
        }
    }
}

//! What flags and `daemon.json` say about the store that several engines share, spelled as dockerd spelled them until
//! version 20.10.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::Args;
use serde::Deserialize;

use crate::cluster::{Settings, TlsFiles};

use super::config_error::ConfigError;

/// Flags of `quai engine` about the shared store.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ClusterArgs {
    /// Store that engines share for overlay networks: etcd://HOST:PORT[,HOST:PORT…][/PREFIX]
    #[arg(long)]
    cluster_store: Option<String>,
    /// Where the other engines reach this one: INTERFACE or ADDRESS, each also with :PORT
    #[arg(long)]
    cluster_advertise: Option<String>,
    /// Option of the shared store: KEY=VALUE
    #[arg(long)]
    cluster_store_opt: Vec<String>,
}

/// Keys of `daemon.json` about the shared store.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct ClusterFile {
    cluster_store: Option<String>,
    cluster_advertise: Option<String>,
    cluster_store_opts: BTreeMap<String, String>,
}

/// The keys, so that the others can be refused.
pub(super) const KEYS: [&str; 3] = ["cluster-store", "cluster-advertise", "cluster-store-opts"];

/// What is configured about the shared store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// As it was written.
    pub store: String,
    /// Where it is.
    pub settings: Settings,
    /// All keys begin so.
    pub prefix: String,
    /// Where the others reach this host.
    pub advertise: Advertise,
    /// After how many seconds of silence the others forget this engine's containers (`discovery.ttl`).
    pub ttl: u32,
    /// How often it says that it lives, seconds (`discovery.heartbeat`).
    pub heartbeat: u32,
}

/// Where other engines reach this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advertise {
    /// At this address.
    Address(IpAddr),
    /// At the address that this interface has then.
    Interface(String),
}

impl ClusterConfig {
    /// Joins flags and file; `check` refuses what is said in both places. `None` when there is no shared store.
    pub(super) fn resolve(
        args: ClusterArgs,
        file: ClusterFile,
        check: impl Fn(&'static str, Option<String>, Option<String>) -> Result<(), ConfigError>,
    ) -> Result<Option<Self>, ConfigError> {
        for (key, flag, in_file) in [
            ("cluster-store", &args.cluster_store, &file.cluster_store),
            (
                "cluster-advertise",
                &args.cluster_advertise,
                &file.cluster_advertise,
            ),
        ] {
            check(key, flag.clone(), in_file.clone())?;
        }
        let advertise = args.cluster_advertise.or(file.cluster_advertise);
        let Some(store) = args.cluster_store.or(file.cluster_store) else {
            let goes_with = |key, value: &str| Err(wrong(key, value, "it goes with cluster-store"));
            let option = args.cluster_store_opt.first();
            return match (advertise, option.or(file.cluster_store_opts.keys().next())) {
                (Some(value), _) => goes_with("cluster-advertise", &value),
                (None, Some(option)) => goes_with("cluster-store-opt", option),
                (None, None) => Ok(None),
            };
        };
        let Some(advertise) = advertise else {
            return Err(wrong(
                "cluster-store",
                &store,
                "say with cluster-advertise by which interface or address the other engines reach this one",
            ));
        };
        let mut options = file.cluster_store_opts;
        for text in args.cluster_store_opt {
            let Some((key, value)) = text.split_once('=') else {
                return Err(wrong("cluster-store-opt", &text, "write KEY=VALUE"));
            };
            options.insert(key.to_owned(), value.to_owned());
        }
        let (servers, prefix) = servers(&store)?;
        let mut config = Self {
            settings: Settings { servers, tls: None },
            prefix,
            advertise: advertised(&advertise)?,
            ttl: 60,
            heartbeat: 20,
            store,
        };
        config.apply(options)?;
        Ok(Some(config))
    }

    fn apply(&mut self, mut options: BTreeMap<String, String>) -> Result<(), ConfigError> {
        let mut path = |key: &str| options.remove(key).map(std::path::PathBuf::from);
        let authorities = path("kv.cacertfile");
        let own = match (path("kv.certfile"), path("kv.keyfile")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => {
                return Err(wrong(
                    "cluster-store-opt",
                    &one.display().to_string(),
                    "kv.certfile and kv.keyfile go together",
                ));
            }
        };
        if authorities.is_some() || own.is_some() {
            self.settings.tls = Some(TlsFiles { authorities, own });
        }
        if let Some(prefix) = options.remove("kv.path") {
            self.prefix = as_prefix(&prefix);
        }
        let heartbeat = seconds(&mut options, "discovery.heartbeat")?;
        let ttl = seconds(&mut options, "discovery.ttl")?;
        // Docker's rule where only one of them is given: three missed beats are an end.
        (self.heartbeat, self.ttl) = match (heartbeat, ttl) {
            (Some(heartbeat), Some(ttl)) => (heartbeat, ttl),
            (Some(heartbeat), None) => (heartbeat, heartbeat.saturating_mul(3)),
            (None, Some(ttl)) => ((ttl / 3).max(1), ttl),
            (None, None) => (self.heartbeat, self.ttl),
        };
        if self.ttl <= self.heartbeat {
            return Err(wrong(
                "cluster-store-opt",
                &format!("discovery.ttl={}", self.ttl),
                "it has to be longer than discovery.heartbeat",
            ));
        }
        match options.into_iter().next() {
            Some((key, value)) => Err(wrong(
                "cluster-store-opt",
                &format!("{key}={value}"),
                "use kv.path, kv.cacertfile, kv.certfile, kv.keyfile, discovery.heartbeat or discovery.ttl",
            )),
            None => Ok(()),
        }
    }
}

fn wrong(key: &'static str, value: &str, remedy: &'static str) -> ConfigError {
    ConfigError::Unsupported {
        key,
        value: value.to_owned(),
        remedy,
    }
}

fn seconds(options: &mut BTreeMap<String, String>, key: &str) -> Result<Option<u32>, ConfigError> {
    options
        .remove(key)
        .map(|value| match value.parse() {
            Ok(seconds @ 1..) => Ok(seconds),
            _ => Err(wrong(
                "cluster-store-opt",
                &format!("{key}={value}"),
                "write a number of seconds",
            )),
        })
        .transpose()
}

/// `etcd://a:2379,b:2379/prefix`
fn servers(text: &str) -> Result<(Vec<String>, String), ConfigError> {
    let remedy = "write etcd://HOST:PORT, with more servers behind commas";
    let bad = || wrong("cluster-store", text, remedy);
    let rest = text.strip_prefix("etcd://").ok_or_else(bad)?;
    let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let server = |host: &str| {
        let (name, port) = host.rsplit_once(':')?;
        let port: u16 = port.parse().ok()?;
        (!name.is_empty() && port > 0).then(|| host.to_owned())
    };
    let servers: Option<Vec<String>> = hosts.split(',').map(server).collect();
    Ok((servers.ok_or_else(bad)?, as_prefix(prefix)))
}

fn as_prefix(text: &str) -> String {
    match text.trim_matches('/') {
        "" => "quai/".into(),
        given => format!("{given}/"),
    }
}

/// `eth0`, `eth0:2376`, `10.0.0.1`, `10.0.0.1:2376`, `[fd00::1]:2376`
fn advertised(text: &str) -> Result<Advertise, ConfigError> {
    let bad = || {
        wrong(
            "cluster-advertise",
            text,
            "write an interface or an address of this host that the others reach",
        )
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        return usable(address).ok_or_else(bad);
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return usable(socket.ip()).ok_or_else(bad);
    }
    let name = match text.rsplit_once(':') {
        Some((name, port)) => {
            port.parse::<u16>().map_err(|_| bad())?;
            name
        }
        None => text,
    };
    if name.is_empty() || name.len() > 15 || name.contains(['/', ' ', ':']) {
        return Err(bad());
    }
    Ok(Advertise::Interface(name.to_owned()))
}

fn usable(address: IpAddr) -> Option<Advertise> {
    let bad = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    (!bad).then_some(Advertise::Address(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(store: &str, advertise: &str, options: &[&str]) -> Result<ClusterConfig, String> {
        let args = ClusterArgs {
            cluster_store: Some(store.into()),
            cluster_advertise: Some(advertise.into()),
            cluster_store_opt: options.iter().map(|text| (*text).to_owned()).collect(),
        };
        ClusterConfig::resolve(args, ClusterFile::default(), |_, _, _| Ok(()))
            .map(|found| found.expect("a store was given"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_store_has_servers_and_a_prefix() {
        let config = resolve("etcd://a:2379,10.0.0.2:2380/class", "eth0:2376", &[]).unwrap();
        assert_eq!(config.settings.servers, ["a:2379", "10.0.0.2:2380"]);
        assert_eq!(config.prefix, "class/");
        assert_eq!(config.advertise, Advertise::Interface("eth0".into()));
        let own = resolve("etcd://a:1", "10.0.0.1", &["discovery.ttl=9"]).unwrap();
        assert_eq!(
            (own.ttl, own.heartbeat, own.prefix.as_str()),
            (9, 3, "quai/")
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for store in [
            "consul://a:1",
            "etcd://",
            "etcd://a",
            "etcd://a:x",
            "etcd://a:1,",
        ] {
            assert!(resolve(store, "eth0", &[]).is_err(), "{store}");
        }
        for advertise in ["", "127.0.0.1", "0.0.0.0:1", "eth0:x", "a b"] {
            assert!(
                resolve("etcd://a:1", advertise, &[]).is_err(),
                "{advertise}"
            );
        }
        for option in ["x", "discovery.ttl=0", "kv.certfile=/a", "unknown=1"] {
            assert!(
                resolve("etcd://a:1", "eth0", &[option]).is_err(),
                "{option}"
            );
        }
    }
}

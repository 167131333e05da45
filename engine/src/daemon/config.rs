//! Flags of `quai engine` and keys of `daemon.json`, spelled as dockerd spells them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Parser;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::config_network::{KEYS, NetworkArgs, NetworkConfig, NetworkFile};

/// Flags of `quai engine`.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "quai engine",
    about = "The container engine: the Docker API on a socket"
)]
pub struct EngineArgs {
    /// Address to listen on: unix:///PATH, tcp://IP:PORT or fd://N
    #[arg(short = 'H', long = "host")]
    hosts: Vec<Host>,
    /// Where images, containers and volumes are kept
    #[arg(long)]
    data_root: Option<PathBuf>,
    /// Where the state of running containers is kept
    #[arg(long)]
    exec_root: Option<PathBuf>,
    /// A store whose images can be pulled without a network
    #[arg(long)]
    catalogue: Option<PathBuf>,
    /// Start containers inside the namespaces of this process
    #[arg(long)]
    stage_pid: Option<u32>,
    /// Configuration file
    #[arg(long)]
    config_file: Option<PathBuf>,
    /// Preferred registry mirror
    #[arg(long)]
    registry_mirror: Vec<String>,
    /// Registry that is spoken to without TLS
    #[arg(long)]
    insecure_registry: Vec<String>,
    /// Label of the engine
    #[arg(long)]
    label: Vec<String>,
    /// File that receives the process id
    #[arg(long, short = 'p')]
    pidfile: Option<PathBuf>,
    /// debug, info, warn, error or fatal
    #[arg(long, short = 'l', value_parser = ["debug", "info", "warn", "error", "fatal"])]
    log_level: Option<String>,
    /// Log everything
    #[arg(long, short = 'D')]
    debug: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

/// Keys of `daemon.json`. An unknown key is an error, as in dockerd.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct ConfigFile {
    hosts: Vec<String>,
    data_root: Option<PathBuf>,
    exec_root: Option<PathBuf>,
    registry_mirrors: Vec<String>,
    insecure_registries: Vec<String>,
    labels: Vec<String>,
    pidfile: Option<PathBuf>,
    log_level: Option<String>,
    debug: bool,
    log_driver: Option<String>,
    log_opts: BTreeMap<String, String>,
    live_restore: Option<bool>,
    max_concurrent_downloads: Option<usize>,
    max_concurrent_uploads: Option<usize>,
}

/// The configuration of a running engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub hosts: Vec<Host>,
    /// Where images, containers and volumes are kept.
    pub data_root: PathBuf,
    /// Where the state of running containers is kept.
    pub exec_root: PathBuf,
    /// A store whose images can be pulled without a network.
    pub catalogue: Option<PathBuf>,
    /// Start containers inside the namespaces of this process.
    pub stage_pid: Option<u32>,
    /// Preferred registry mirrors.
    pub registry_mirrors: Vec<String>,
    /// Registries spoken to without TLS.
    pub insecure_registries: Vec<String>,
    /// Labels of the engine.
    pub labels: Vec<String>,
    /// File that receives the process id.
    pub pidfile: Option<PathBuf>,
    /// What is logged.
    pub log_level: String,
    /// Options of the default log driver.
    pub log_opts: BTreeMap<String, String>,
    /// Layers that are pulled at once.
    pub max_concurrent_downloads: usize,
    /// Layers that are pushed at once.
    pub max_concurrent_uploads: usize,
    /// What is configured about networks.
    pub network: NetworkConfig,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A socket file.
    Unix(PathBuf),
    /// An address and port.
    Tcp(String),
    /// A listening socket that was inherited.
    Fd(i32),
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("unable to configure the engine with file {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be understood.
    #[error("unable to configure the engine with file {}: {source}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The same thing is said in both places.
    #[error("unable to configure the engine with file {}: the following directives are specified both as a flag and in the configuration file: {key}", .path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// Which.
        key: &'static str,
    },
    /// A value is not supported.
    #[error("{key} {value:?} is not supported: {remedy}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An address is wrong.
    #[error(transparent)]
    Host(#[from] BadHost),
}

/// An address nobody can listen on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("unable to parse docker host {0:?}: expected unix:///PATH, tcp://IP:PORT or fd://N")]
pub struct BadHost(String);

impl FromStr for Host {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let bad = || BadHost(text.to_owned());
        match text.split_once("://").ok_or_else(bad)? {
            ("unix", "") => Ok(Self::Unix("/var/run/docker.sock".into())),
            ("unix", path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            ("tcp", address) if address.contains(':') => Ok(Self::Tcp(address.to_owned())),
            ("fd", number) => number
                .parse()
                .ok()
                .filter(|fd| *fd > 2)
                .map(Self::Fd)
                .ok_or_else(bad),
            _ => Err(bad()),
        }
    }
}

impl Config {
    /// Joins flags and file; what is said in both places is an error, as in dockerd.
    pub fn resolve(args: EngineArgs) -> Result<Self, ConfigError> {
        let (path, file, networks) = load(args.config_file.as_deref())?;
        let twice = |both: bool, key| {
            if both {
                Err(ConfigError::Twice {
                    path: path.clone(),
                    key,
                })
            } else {
                Ok(())
            }
        };
        twice(!args.hosts.is_empty() && !file.hosts.is_empty(), "hosts")?;
        twice(
            args.data_root.is_some() && file.data_root.is_some(),
            "data-root",
        )?;
        twice(
            args.exec_root.is_some() && file.exec_root.is_some(),
            "exec-root",
        )?;
        twice(args.pidfile.is_some() && file.pidfile.is_some(), "pidfile")?;
        twice(
            args.log_level.is_some() && file.log_level.is_some(),
            "log-level",
        )?;
        if let Some(driver) = file.log_driver.filter(|driver| driver != "json-file") {
            let remedy = "use json-file, or none for one container";
            return Err(ConfigError::Unsupported {
                key: "log-driver",
                value: driver,
                remedy,
            });
        }
        if file.live_restore == Some(false) {
            let remedy = "containers always survive the engine; remove the key";
            return Err(ConfigError::Unsupported {
                key: "live-restore",
                value: "false".into(),
                remedy,
            });
        }
        let mut hosts = args.hosts;
        for host in &file.hosts {
            hosts.push(host.parse()?);
        }
        if hosts.is_empty() {
            hosts.push(Host::Unix("/var/run/docker.sock".into()));
        }
        let debug = args.debug || file.debug;
        let level = args
            .log_level
            .or(file.log_level)
            .unwrap_or_else(|| "info".into());
        Ok(Self {
            hosts,
            data_root: args
                .data_root
                .or(file.data_root)
                .unwrap_or_else(|| "/var/lib/docker".into()),
            exec_root: args
                .exec_root
                .or(file.exec_root)
                .unwrap_or_else(|| "/var/run/docker".into()),
            catalogue: args.catalogue,
            stage_pid: args.stage_pid,
            registry_mirrors: [args.registry_mirror, file.registry_mirrors].concat(),
            insecure_registries: [args.insecure_registry, file.insecure_registries].concat(),
            labels: [args.label, file.labels].concat(),
            pidfile: args.pidfile.or(file.pidfile),
            log_level: if debug { "debug".into() } else { level },
            log_opts: file.log_opts,
            max_concurrent_downloads: file
                .max_concurrent_downloads
                .filter(|n| *n > 0)
                .unwrap_or(3),
            max_concurrent_uploads: file.max_concurrent_uploads.filter(|n| *n > 0).unwrap_or(5),
            network: NetworkConfig::resolve(args.network, networks)?,
        })
    }
}

/// Reads the file. Only the default one may be missing.
fn load(asked: Option<&Path>) -> Result<(PathBuf, ConfigFile, NetworkFile), ConfigError> {
    let path = asked.map_or_else(|| PathBuf::from("/etc/docker/daemon.json"), Path::to_owned);
    let bytes = match std::fs::read(&path) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound && asked.is_none() => {
            return Ok((path, ConfigFile::default(), NetworkFile::default()));
        }
        Err(source) => return Err(ConfigError::Read { path, source }),
        Ok(bytes) => bytes,
    };
    match divide(&bytes) {
        Ok((file, networks)) => Ok((path, file, networks)),
        Err(source) => Err(ConfigError::Parse { path, source }),
    }
}

/// The keys about networks are read elsewhere; of the others an unknown one is an error.
fn divide(bytes: &[u8]) -> Result<(ConfigFile, NetworkFile), serde_json::Error> {
    let mut all: Map<String, Value> = serde_json::from_slice(bytes)?;
    let mut networks = Map::new();
    for key in KEYS {
        if let Some(value) = all.remove(key) {
            networks.insert(key.to_owned(), value);
        }
    }
    Ok((
        serde_json::from_value(all.into())?,
        serde_json::from_value(networks.into())?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        assert_eq!(
            "unix:///run/x.sock".parse::<Host>().unwrap(),
            Host::Unix("/run/x.sock".into())
        );
        assert_eq!(
            "tcp://127.0.0.1:2375".parse::<Host>().unwrap(),
            Host::Tcp("127.0.0.1:2375".into())
        );
        assert_eq!("fd://3".parse::<Host>().unwrap(), Host::Fd(3));
        for bad in ["", "unix://x", "tcp://x", "fd://", "fd://1", "http://x:1"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }
}

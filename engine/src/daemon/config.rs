//! Flags of `quai engine` and keys of `daemon.json`, spelled as dockerd spells them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::config_access::{self, AccessArgs, AccessConfig, AccessFile};
use super::config_defaults::{self, DefaultsArgs, DefaultsConfig, DefaultsFile};
use super::config_error::ConfigError;
use super::config_life::{self, LifeArgs, LifeConfig, LifeFile};
use super::config_network::{self, NetworkArgs, NetworkConfig, NetworkFile};
use super::host::Host;
use super::rootless::Rootless;
use crate::registry::Network;
use crate::rootless::Places;

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
    /// Connection to what stays on the host of an ordinary user's engine
    #[arg(long, hide = true)]
    rootless_door: Option<i32>,
    /// Configuration file
    #[arg(long)]
    config_file: Option<PathBuf>,
    /// Preferred registry mirror
    #[arg(long)]
    registry_mirror: Vec<String>,
    /// Registry that is spoken to without TLS
    #[arg(long)]
    insecure_registry: Vec<String>,
    /// Private network that builds may fetch from (ADD and remote contexts): ADDRESS/BITS
    #[arg(long, value_name = "NETWORK")]
    allow_private_fetch: Vec<Network>,
    /// Label of the engine
    #[arg(long)]
    label: Vec<String>,
    /// File that receives the process id
    #[arg(long, short = 'p')]
    pidfile: Option<PathBuf>,
    /// debug, info, warn, error or fatal
    #[arg(long, short = 'l', value_parser = LEVELS)]
    log_level: Option<String>,
    /// Log everything
    #[arg(long, short = 'D')]
    debug: bool,
    /// Check the configuration and end
    #[arg(long)]
    validate: bool,
    #[command(flatten)]
    life: LifeArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    defaults: DefaultsArgs,
}

/// Levels of the log.
const LEVELS: [&str; 5] = ["debug", "info", "warn", "error", "fatal"];

/// The keys of [`ConfigFile`], so that the others can be refused.
const KEYS: [&str; 12] = [
    "allow-private-fetch",
    "hosts",
    "data-root",
    "exec-root",
    "registry-mirrors",
    "insecure-registries",
    "labels",
    "pidfile",
    "log-level",
    "debug",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
];

/// Keys of `daemon.json`. An unknown key is an error, as in dockerd.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct ConfigFile {
    hosts: Vec<String>,
    data_root: Option<PathBuf>,
    exec_root: Option<PathBuf>,
    registry_mirrors: Vec<String>,
    insecure_registries: Vec<String>,
    allow_private_fetch: Vec<String>,
    labels: Vec<String>,
    pidfile: Option<PathBuf>,
    log_level: Option<String>,
    debug: Option<bool>,
    max_concurrent_downloads: Option<usize>,
    max_concurrent_uploads: Option<usize>,
}

/// The configuration of a running engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether it is an ordinary user's.
    pub rootless: Rootless,
    /// Where it listens.
    pub hosts: Vec<Host>,
    /// Where images, containers and volumes are kept.
    pub data_root: PathBuf,
    /// Where the state of running containers is kept.
    pub exec_root: PathBuf,
    /// A store whose images can be pulled without a network.
    pub catalogue: Option<PathBuf>,
    /// The executable `quai`, which then unpacks layers in a confined child; without it they are unpacked here.
    pub unpacker: Option<PathBuf>,
    /// Start containers inside the namespaces of this process.
    pub stage_pid: Option<u32>,
    /// Preferred registry mirrors.
    pub registry_mirrors: Vec<String>,
    /// Registries spoken to without TLS.
    pub insecure_registries: Vec<String>,
    /// Private networks that builds may fetch from.
    pub allow_private_fetch: Vec<Network>,
    /// Labels of the engine.
    pub labels: Vec<String>,
    /// File that receives the process id.
    pub pidfile: Option<PathBuf>,
    /// What is logged.
    pub log_level: String,
    /// What containers get by default, and how long they live.
    pub life: LifeConfig,
    /// Only the configuration is checked.
    pub validate: bool,
    /// Tells the log that its level has changed.
    pub on_log_level: Option<fn(&str)>,
    /// The flags, to join them with a file that has changed.
    pub(super) args: EngineArgs,
    /// Layers that are pulled at once.
    pub max_concurrent_downloads: usize,
    /// Layers that are pushed at once.
    pub max_concurrent_uploads: usize,
    /// What is configured about networks.
    pub network: NetworkConfig,
    /// Who reaches it.
    pub access: AccessConfig,
    /// What containers get that do not say it.
    pub defaults: DefaultsConfig,
}

impl Config {
    /// Joins flags and file; what is said in both places is an error, as in dockerd.
    pub fn resolve(args: EngineArgs) -> Result<Self, ConfigError> {
        let rootless = Rootless::of(args.rootless_door);
        let of_user = (rootless != Rootless::No).then(Places::of_environment);
        let (path, keys) = load(args.config_file.as_deref(), of_user)?;
        let Keys {
            own: file,
            life,
            networks,
            access,
            defaults,
        } = keys;
        let all = args.clone();
        let twice = |key, flag: Option<String>, in_file: Option<String>| match (flag, in_file) {
            (Some(flag), Some(in_file)) => Err(ConfigError::Twice {
                path: path.clone(),
                key,
                flag,
                in_file,
            }),
            _ => Ok(()),
        };
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let list =
            |words: Vec<String>| (!words.is_empty()).then(|| format!("[{}]", words.join(" ")));
        let hosts = args.hosts.iter().map(ToString::to_string).collect();
        twice("hosts", list(hosts), list(file.hosts.clone()))?;
        twice("data-root", shown(&args.data_root), shown(&file.data_root))?;
        twice("exec-root", shown(&args.exec_root), shown(&file.exec_root))?;
        twice("pidfile", shown(&args.pidfile), shown(&file.pidfile))?;
        twice("log-level", args.log_level.clone(), file.log_level.clone())?;
        let yes = |yes: bool| yes.then(|| "true".to_owned());
        let in_file = file.debug.map(|debug| debug.to_string());
        twice("debug", yes(args.debug), in_file)?;
        let life = LifeConfig::resolve(args.life, life, twice)?;
        let access = AccessConfig::resolve(args.access, access, twice)?;
        let defaults = DefaultsConfig::resolve(args.defaults, defaults, twice)?;
        let network = NetworkConfig::resolve(args.network, networks, twice)?;
        let labels = [args.label, file.labels].concat();
        check_merged(file.log_level.as_deref(), &labels).map_err(|why| ConfigError::Merged {
            path: path.clone(),
            why,
        })?;
        let mut hosts = args.hosts;
        for host in &file.hosts {
            hosts.push(host.parse()?);
        }
        if hosts.is_empty() {
            let usual = || Ok("/var/run/docker.sock".into());
            hosts.push(Host::Unix(of_user.map_or_else(usual, Places::socket)?));
        }
        let mut allow_private_fetch = args.allow_private_fetch;
        for network in &file.allow_private_fetch {
            allow_private_fetch.push(network.parse()?);
        }
        let debug = args.debug || file.debug == Some(true);
        let level = args
            .log_level
            .or(file.log_level)
            .unwrap_or_else(|| "info".into());
        // What is mounted from them is named in other working directories too.
        let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Ok(Self {
            rootless,
            hosts,
            data_root: match (args.data_root.or(file.data_root), of_user) {
                (Some(path), _) => whole(path),
                (None, Some(places)) => places.data_root()?,
                (None, None) => "/var/lib/docker".into(),
            },
            exec_root: match (args.exec_root.or(file.exec_root), of_user) {
                (Some(path), _) => whole(path),
                (None, Some(places)) => places.exec_root()?,
                (None, None) => "/var/run/docker".into(),
            },
            catalogue: args.catalogue.map(whole),
            unpacker: None,
            stage_pid: args.stage_pid,
            registry_mirrors: [args.registry_mirror, file.registry_mirrors].concat(),
            insecure_registries: [args.insecure_registry, file.insecure_registries].concat(),
            allow_private_fetch,
            labels,
            pidfile: args.pidfile.or(file.pidfile),
            log_level: if debug { "debug".into() } else { level },
            life,
            validate: args.validate,
            on_log_level: None,
            args: all,
            max_concurrent_downloads: file
                .max_concurrent_downloads
                .filter(|n| *n > 0)
                .unwrap_or(3),
            max_concurrent_uploads: file.max_concurrent_uploads.filter(|n| *n > 0).unwrap_or(5),
            network,
            access,
            defaults,
        })
    }
}

/// Refuses levels and labels that make no sense; the flags' parser has seen the flags.
fn check_merged(log_level: Option<&str>, labels: &[String]) -> Result<(), String> {
    if let Some(level) = log_level
        && !LEVELS.contains(&level)
    {
        return Err(format!("invalid logging level: {level}"));
    }
    let mut known = BTreeMap::new();
    for label in labels {
        let (name, value) = label
            .split_once('=')
            .ok_or_else(|| format!("bad attribute format: {label}"))?;
        if let Some(other) = known.insert(name, value).filter(|other| *other != value) {
            return Err(format!("conflict labels for {label} and {name}={other}"));
        }
    }
    Ok(())
}

/// Reads the file. Only the default one may be missing.
fn load(asked: Option<&Path>, of_user: Option<Places>) -> Result<(PathBuf, Keys), ConfigError> {
    let path = match (asked, of_user) {
        (Some(path), _) => path.to_owned(),
        (None, Some(places)) => places.config_file()?,
        (None, None) => "/etc/docker/daemon.json".into(),
    };
    let bytes = match std::fs::read(&path) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound && asked.is_none() => {
            return Ok((path, Keys::default()));
        }
        Err(source) => return Err(ConfigError::Read { path, source }),
        Ok(bytes) => bytes,
    };
    // An empty file is an empty configuration.
    let bytes = if bytes.trim_ascii().is_empty() {
        b"{}"
    } else {
        bytes.as_slice()
    };
    let parse = |source| ConfigError::Parse {
        path: path.clone(),
        source,
    };
    let mut all: Map<String, Value> = serde_json::from_slice(bytes).map_err(parse)?;
    config_defaults::take_absent(&mut all)?;
    let keys = divide(&mut all).map_err(parse)?;
    if all.is_empty() {
        return Ok((path, keys));
    }
    let mut unknown: Vec<String> = all.keys().cloned().collect();
    unknown.sort();
    Err(ConfigError::Unknown {
        path,
        keys: unknown.join(", "),
    })
}

/// All keys where they belong.
#[derive(Default)]
struct Keys {
    own: ConfigFile,
    life: LifeFile,
    networks: NetworkFile,
    access: AccessFile,
    defaults: DefaultsFile,
}

/// Takes out the keys that somebody knows.
fn divide(all: &mut Map<String, Value>) -> Result<Keys, serde_json::Error> {
    Ok(Keys {
        own: serde_json::from_value(take(all, &KEYS).into())?,
        life: serde_json::from_value(take(all, &config_life::KEYS).into())?,
        networks: serde_json::from_value(take(all, &config_network::KEYS).into())?,
        access: serde_json::from_value(take(all, &config_access::KEYS).into())?,
        defaults: serde_json::from_value(take(all, &config_defaults::KEYS).into())?,
    })
}

fn take(all: &mut Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    let found = keys.iter().filter_map(|key| {
        let value = all.remove(*key)?;
        Some(((*key).to_owned(), value))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(file: &str, flags: &[&str]) -> Result<Config, String> {
        let name = format!("quai-config-{:x}.json", getrandom::u64().unwrap());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, file).unwrap();
        let words = ["engine", "--config-file", path.to_str().unwrap()];
        let args = EngineArgs::parse_from(words.iter().chain(flags));
        let config = Config::resolve(args);
        std::fs::remove_file(&path).unwrap();
        config.map_err(|error| {
            let text = error.to_string();
            let why = text.split_once(".json: ").map(|(_, why)| why.to_owned());
            why.unwrap_or(text)
        })
    }

    #[track_caller]
    fn refused(file: &str, flags: &[&str], why: &str) {
        let error = resolve(file, flags).unwrap_err();
        assert!(error.starts_with(why), "{error}");
    }

    #[test]
    fn networks_are_not_configured_in_two_places() {
        for (file, flag, value) in [
            (r#"{"mtu":1400}"#, "--mtu", "1300"),
            (r#"{"bip":"10.1.0.1/24"}"#, "--bip", "10.2.0.1/24"),
            (r#"{"dns":["10.0.0.1"]}"#, "--dns", "10.0.0.2"),
            (
                r#"{"cluster-store":"etcd://a:1"}"#,
                "--cluster-store",
                "etcd://b:1",
            ),
        ] {
            let error = resolve(file, &[flag, value]).unwrap_err();
            assert!(error.contains("(from flag: "), "{error}");
        }
        let alone = resolve(r#"{"cluster-store-opts":{"kv.path":"x"}}"#, &[]).unwrap_err();
        assert!(alone.contains("it goes with cluster-store"), "{alone}");
    }

    #[test]
    fn a_relative_folder_is_one_of_the_working_directory() {
        let here = std::env::current_dir().unwrap();
        let flags = ["--data-root", "data", "--exec-root", "./run"];
        let config = resolve("{}", &flags).unwrap();
        assert_eq!(config.data_root, here.join("data"));
        assert_eq!(config.exec_root, here.join("run"));
    }

    #[test]
    fn bad_files_are_refused_in_dockerds_words() {
        refused(
            r#"{"foo":1,"bar":2}"#,
            &[],
            "the following directives don't match any configuration option: bar, foo",
        );
        let twice =
            "the following directives are specified both as a flag and in the configuration file: ";
        let both = format!("{twice}data-root: (from flag: /b, from file: /a)");
        refused(r#"{"data-root":"/a"}"#, &["--data-root", "/b"], &both);
        let both = format!("{twice}debug: (from flag: true, from file: true)");
        refused(r#"{"debug":true}"#, &["-D"], &both);
        let both = format!("{twice}hosts: (from flag: [unix:///y], from file: [unix:///x])");
        refused(r#"{"hosts":["unix:///x"]}"#, &["-H", "unix:///y"], &both);
        let merged = "merged configuration validation from file and command line flags failed: ";
        refused(
            r#"{"log-level":"zzz"}"#,
            &[],
            &format!("{merged}invalid logging level: zzz"),
        );
        refused(
            r#"{"labels":["a"]}"#,
            &[],
            &format!("{merged}bad attribute format: a"),
        );
        refused(
            r#"{"log-opts":{"foo":"1"}}"#,
            &[],
            "failed to set log opts: unknown log opt 'foo'",
        );
        for bad in ["{", r#"{"debug":"yes"}"#, r#"{"log-opts":{"max-size":1}}"#] {
            assert!(resolve(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn flags_and_file_are_joined() {
        assert_eq!(resolve("", &[]).unwrap().life.log_driver, "json-file");
        let file = r#"{
            "log-driver": "local", "log-opts": {"max-size": "1m"}, "shutdown-timeout": 3,
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}},
            "default-shm-size": "1m", "features": {"buildkit": true}, "live-restore": false
        }"#;
        let config = resolve(
            file,
            &["--log-opt", "max-file=3", "--default-ulimit", "core=0"],
        );
        let life = config.unwrap().life;
        assert_eq!(life.log_driver, "local");
        assert_eq!(
            (&*life.log_opts["max-size"], &*life.log_opts["max-file"]),
            ("1m", "3")
        );
        assert_eq!(
            (life.ulimits["nofile"].hard, life.ulimits["core"].hard),
            (2, 0)
        );
        assert_eq!((life.shm_size, life.live_restore), (1 << 20, false));
        assert_eq!(
            life.shutdown_timeout,
            Some(std::time::Duration::from_secs(3))
        );
    }
}

//! What flags and `daemon.json` say about the confinement of containers that do not say it, and the keys of parts that
//! this engine does not have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::config_error::ConfigError;
use crate::runtime::request::SeccompSpec;

/// The runtimes that are there without a word about them: both are this engine itself.
pub(super) const RUNTIMES: [&str; 2] = ["runc", "quai"];

/// Flags of `quai engine` about defaults.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct DefaultsArgs {
    /// Path to a seccomp profile; `unconfined` for none, `builtin` for the engine's own
    #[arg(long)]
    seccomp_profile: Option<String>,
    /// Default OCI runtime of containers
    #[arg(long)]
    default_runtime: Option<String>,
    /// Runtime execution option
    #[arg(long)]
    exec_opt: Vec<String>,
    /// Storage driver: overlay2
    #[arg(short = 's', long)]
    storage_driver: Option<String>,
    /// Parent of the control groups of all containers
    #[arg(long)]
    cgroup_parent: Option<String>,
    /// Default mode of containers' cgroup namespace: host or private
    #[arg(long)]
    default_cgroupns_mode: Option<String>,
    /// Default mode of containers' ipc: shareable or private
    #[arg(long)]
    default_ipc_mode: Option<String>,
}

/// Keys of `daemon.json` about defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct DefaultsFile {
    seccomp_profile: Option<String>,
    default_runtime: Option<String>,
    runtimes: BTreeMap<String, RuntimeFile>,
    exec_opts: Vec<String>,
    storage_driver: Option<String>,
    cgroup_parent: Option<String>,
    default_cgroupns_mode: Option<String>,
    default_ipc_mode: Option<String>,
}

/// An OCI runtime by its program.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct RuntimeFile {
    path: PathBuf,
    runtime_type: String,
}

/// The keys, so that the others can be refused.
pub(super) const KEYS: [&str; 8] = [
    "seccomp-profile",
    "default-runtime",
    "runtimes",
    "exec-opts",
    "storage-driver",
    "cgroup-parent",
    "default-cgroupns-mode",
    "default-ipc-mode",
];

/// Keys of dockerd for what is not here; only values that ask for nothing are taken.
const ABSENT: [(&str, &str); 28] = [
    (
        "allow-nondistributable-artifacts",
        "foreign layers are not pushed; remove it",
    ),
    (
        "api-cors-header",
        "browsers do not speak to this engine; remove it",
    ),
    (
        "authorization-plugins",
        "plugins are not supported; restrict who reaches the socket (group, tlsverify)",
    ),
    (
        "builder",
        "`docker builder prune` removes the cache of builds; remove it",
    ),
    (
        "cdi-spec-dirs",
        "devices are given one by one (--device); remove it",
    ),
    (
        "containerd",
        "no other process is needed to run containers; remove it",
    ),
    (
        "containerd-namespace",
        "no other process is needed to run containers; remove it",
    ),
    (
        "containerd-plugin-namespace",
        "no other process is needed to run containers; remove it",
    ),
    (
        "cpu-rt-period",
        "give each container its own (--cpu-rt-period)",
    ),
    (
        "cpu-rt-runtime",
        "give each container its own (--cpu-rt-runtime)",
    ),
    (
        "default-network-opts",
        "give each network its own options; remove it",
    ),
    (
        "experimental",
        "there are no experimental features; remove it",
    ),
    (
        "http-proxy",
        "registries are reached directly or through registry-mirrors; remove it",
    ),
    (
        "https-proxy",
        "registries are reached directly or through registry-mirrors; remove it",
    ),
    (
        "init-path",
        "the small init is part of the engine; remove it",
    ),
    ("log-format", "the engine's log is text; remove it"),
    (
        "max-download-attempts",
        "a pull can be repeated: layers that have come stay; remove it",
    ),
    ("network-control-plane-mtu", "there is no swarm; remove it"),
    (
        "no-proxy",
        "registries are reached directly or through registry-mirrors; remove it",
    ),
    ("node-generic-resources", "there is no swarm; remove it"),
    (
        "oom-score-adjust",
        "set it where the engine is started (choom)",
    ),
    (
        "proxies",
        "registries are reached directly or through registry-mirrors; remove it",
    ),
    (
        "raw-logs",
        "the engine's log has no colours where it is no terminal; remove it",
    ),
    (
        "selinux-enabled",
        "this engine labels nothing for SELinux; remove it",
    ),
    ("storage-opts", "overlay2 needs no options; remove it"),
    (
        "swarm-default-advertise-addr",
        "there is no swarm; remove it",
    ),
    (
        "userland-proxy-path",
        "the relay is part of the engine; remove it",
    ),
    (
        "userns-remap",
        "start the engine itself in a user namespace (rootless)",
    ),
];

/// Keys that may only say what is the case here anyway.
const FIXED: [(&str, &str); 3] = [
    (
        "iptables",
        "published ports need rules; the engine's are one table of its own",
    ),
    ("ip-forward", "containers on a bridge need it"),
    ("ip6tables", "the engine's rules are one table of its own"),
];

/// What containers get that do not say it.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultsConfig {
    /// The filter of system calls.
    pub seccomp: SeccompSpec,
    /// How the filter is called in `docker info`.
    pub seccomp_name: String,
    /// The runtime's name.
    pub runtime: String,
    /// All names of runtimes.
    pub runtimes: Vec<String>,
    /// The group above those of containers; empty for the usual one.
    pub cgroup_parent: String,
    /// `private` or `host`.
    pub cgroupns_mode: String,
    /// `private` or `shareable`.
    pub ipc_mode: String,
}

impl DefaultsConfig {
    /// Joins flags and file; `check` refuses what is said in both places.
    pub(super) fn resolve(
        args: DefaultsArgs,
        file: DefaultsFile,
        check: impl Fn(&'static str, Option<String>, Option<String>) -> Result<(), ConfigError>,
    ) -> Result<Self, ConfigError> {
        let one = |key, flag: Option<String>, in_file: Option<String>| {
            check(key, flag.clone(), in_file.clone())?;
            Ok::<_, ConfigError>(flag.or(in_file).filter(|text| !text.is_empty()))
        };
        if let Some(driver) = one("storage-driver", args.storage_driver, file.storage_driver)?
            && driver != "overlay2"
        {
            return Err(refused(
                "storage-driver",
                &driver,
                "layers are always stacked by overlay2",
            ));
        }
        for option in args.exec_opt.iter().chain(&file.exec_opts) {
            if option != "native.cgroupdriver=cgroupfs" {
                let remedy =
                    "control groups are made without systemd: native.cgroupdriver=cgroupfs";
                return Err(refused("exec-opts", option, remedy));
            }
        }
        let mut runtimes: Vec<String> = RUNTIMES.map(str::to_owned).to_vec();
        for (name, runtime) in &file.runtimes {
            own_runtime(name, runtime)?;
            runtimes.push(name.clone());
        }
        let runtime = one(
            "default-runtime",
            args.default_runtime,
            file.default_runtime,
        )?;
        let runtime = runtime.unwrap_or_else(|| RUNTIMES[0].to_owned());
        if !runtimes.contains(&runtime) {
            let why = "no runtime has this name; the engine's own are runc and quai";
            return Err(refused("default-runtime", &runtime, why));
        }
        let profile = one(
            "seccomp-profile",
            args.seccomp_profile,
            file.seccomp_profile,
        )?;
        let (seccomp, seccomp_name) = seccomp(profile)?;
        let cgroupns = one(
            "default-cgroupns-mode",
            args.default_cgroupns_mode,
            file.default_cgroupns_mode,
        )?;
        let ipc = one(
            "default-ipc-mode",
            args.default_ipc_mode,
            file.default_ipc_mode,
        )?;
        Ok(Self {
            seccomp,
            seccomp_name,
            runtime,
            runtimes,
            cgroup_parent: one("cgroup-parent", args.cgroup_parent, file.cgroup_parent)?
                .unwrap_or_default(),
            cgroupns_mode: mode("default-cgroupns-mode", cgroupns, &["private", "host"])?,
            ipc_mode: mode("default-ipc-mode", ipc, &["private", "shareable"])?,
        })
    }
}

fn refused(key: &'static str, value: &str, remedy: &'static str) -> ConfigError {
    ConfigError::Unsupported {
        key,
        value: value.to_owned(),
        remedy,
    }
}

fn mode(
    key: &'static str,
    value: Option<String>,
    known: &[&'static str],
) -> Result<String, ConfigError> {
    let value = value.unwrap_or_else(|| known[0].to_owned());
    if known.contains(&value.as_str()) {
        return Ok(value);
    }
    Err(refused(
        key,
        &value,
        "see `quai engine --help` for the modes",
    ))
}

/// A runtime may have another name; its program is always this one.
fn own_runtime(name: &str, runtime: &RuntimeFile) -> Result<(), ConfigError> {
    if RUNTIMES.contains(&name) {
        return Err(refused(
            "runtimes",
            name,
            "the name is reserved; choose another one",
        ));
    }
    let own = std::env::current_exe().and_then(|path| path.canonicalize());
    let same = own.is_ok_and(|own| {
        let wanted = runtime.path.canonicalize();
        wanted.is_ok_and(|wanted| wanted == own)
    });
    if same && runtime.runtime_type.is_empty() {
        return Ok(());
    }
    let remedy = "this engine runs containers itself and starts no other runtime; name its own executable as path";
    Err(refused("runtimes", name, remedy))
}

fn seccomp(profile: Option<String>) -> Result<(SeccompSpec, String), ConfigError> {
    match profile.as_deref() {
        None | Some("builtin") => Ok((SeccompSpec::Usual, "builtin".into())),
        Some("unconfined") => Ok((SeccompSpec::Unconfined, "unconfined".into())),
        Some(path) => {
            let read = |source| ConfigError::Read {
                path: path.into(),
                source,
            };
            let text = std::fs::read_to_string(Path::new(path)).map_err(read)?;
            serde_json::from_str::<Value>(&text).map_err(|source| ConfigError::Parse {
                path: path.into(),
                source,
            })?;
            Ok((SeccompSpec::Profile(text), path.to_owned()))
        }
    }
}

/// Takes the keys of absent parts out of a file; one that asks for something is an error.
pub(super) fn take_absent(all: &mut Map<String, Value>) -> Result<(), ConfigError> {
    for (key, remedy) in FIXED {
        if all.get(key) == Some(&Value::Bool(false)) {
            return Err(refused(key, "false", remedy));
        }
        all.remove(key);
    }
    for (key, remedy) in ABSENT {
        if let Some(value) = all.remove(key)
            && asks(&value)
        {
            return Err(refused(key, &value.to_string(), remedy));
        }
    }
    Ok(())
}

fn asks(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty() && text != "text",
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(file: Value) -> Result<DefaultsConfig, String> {
        let mut all: Map<String, Value> = serde_json::from_value(file).unwrap();
        take_absent(&mut all).map_err(|error| error.to_string())?;
        let file = serde_json::from_value(all.into()).unwrap();
        DefaultsConfig::resolve(DefaultsArgs::default(), file, |_, _, _| Ok(()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_this_engine_is_anyway_may_be_said() {
        let usual = resolve(serde_json::json!({
            "storage-driver": "overlay2", "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "default-runtime": "quai", "iptables": true, "experimental": false, "userland-proxy": false,
            "seccomp-profile": "unconfined", "log-format": "text",
        }));
        let usual = usual.unwrap();
        assert_eq!(usual.runtime, "quai");
        assert_eq!(usual.seccomp, SeccompSpec::Unconfined);
        let own = std::env::current_exe().unwrap();
        let named = resolve(serde_json::json!({
            "runtimes": { "fast": { "path": own } }, "default-runtime": "fast",
        }));
        assert_eq!(named.unwrap().runtime, "fast");
    }

    #[test]
    fn what_is_not_here_is_refused_by_name() {
        use serde_json::json;
        for (file, words) in [
            (
                json!({"storage-driver": "btrfs"}),
                "storage-driver \"btrfs\" is not supported",
            ),
            (
                json!({"exec-opts": ["native.cgroupdriver=systemd"]}),
                "exec-opts \"native.cgroupdriver=systemd\"",
            ),
            (
                json!({"default-runtime": "crun"}),
                "default-runtime \"crun\"",
            ),
            (
                json!({"runtimes": {"crun": {"path": "/usr/bin/crun"}}}),
                "runtimes \"crun\"",
            ),
            (json!({"runtimes": {"runc": {}}}), "runtimes \"runc\""),
            (json!({"iptables": false}), "iptables \"false\""),
            (json!({"userns-remap": "default"}), "userns-remap"),
            (
                json!({"default-ipc-mode": "host"}),
                "default-ipc-mode \"host\"",
            ),
        ] {
            let error = resolve(file).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}

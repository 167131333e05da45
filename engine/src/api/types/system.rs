//! The engine itself: version, info, events, disk usage, login.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ContainerSummary, ImageSummary, Volume};

/// Answer of `GET /version`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Version {
    /// Product.
    pub platform: VersionPlatform,
    /// Parts.
    pub components: Vec<VersionComponent>,
    /// Engine version.
    pub version: String,
    /// Highest API version.
    pub api_version: String,
    /// Lowest API version.
    #[serde(rename = "MinAPIVersion")]
    pub min_api_version: String,
    /// Commit.
    pub git_commit: String,
    /// Compiler.
    pub go_version: String,
    /// `linux`.
    pub os: String,
    /// `amd64`.
    pub arch: String,
    /// Kernel release.
    pub kernel_version: String,
    /// RFC 3339.
    pub build_time: String,
}

/// Product name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VersionPlatform {
    /// Product.
    pub name: String,
}

/// One part of the engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VersionComponent {
    /// Part.
    pub name: String,
    /// Its version.
    pub version: String,
    /// More.
    pub details: BTreeMap<String, String>,
}

/// Answer of `GET /info`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Info {
    /// Engine id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Containers in all.
    pub containers: i64,
    /// Of them running.
    pub containers_running: i64,
    /// Of them paused.
    pub containers_paused: i64,
    /// Of them stopped.
    pub containers_stopped: i64,
    /// Images.
    pub images: i64,
    /// Storage driver.
    pub driver: String,
    /// Pairs.
    pub driver_status: Vec<[String; 2]>,
    /// Drivers by kind.
    pub plugins: InfoPlugins,
    /// Kernel offers.
    pub memory_limit: bool,
    /// Kernel offers.
    pub swap_limit: bool,
    /// Kernel offers.
    pub cpu_cfs_period: bool,
    /// Kernel offers.
    pub cpu_cfs_quota: bool,
    /// Kernel offers.
    #[serde(rename = "KernelMemoryTCP")]
    pub kernel_memory_tcp: bool,
    /// Kernel offers.
    #[serde(rename = "CPUShares")]
    pub cpu_shares: bool,
    /// Kernel offers.
    #[serde(rename = "CPUSet")]
    pub cpu_set: bool,
    /// Kernel offers.
    pub pids_limit: bool,
    /// Kernel offers.
    pub oom_kill_disable: bool,
    /// Forwarding on.
    #[serde(rename = "IPv4Forwarding")]
    pub ipv4_forwarding: bool,
    /// Bridged frames pass the rules of IPv4.
    pub bridge_nf_iptables: bool,
    /// Bridged frames pass the rules of IPv6.
    pub bridge_nf_ip6tables: bool,
    /// Debug mode.
    pub debug: bool,
    /// Open descriptors.
    #[serde(rename = "NFd")]
    pub n_fd: i64,
    /// Tasks.
    pub n_goroutines: i64,
    /// RFC 3339.
    pub system_time: String,
    /// Default log driver.
    pub logging_driver: String,
    /// `cgroupfs`.
    pub cgroup_driver: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// Listening for events.
    pub n_events_listener: i64,
    /// Kernel release.
    pub kernel_version: String,
    /// Distribution.
    pub operating_system: String,
    /// Its version.
    #[serde(rename = "OSVersion")]
    pub os_version: String,
    /// `linux`.
    #[serde(rename = "OSType")]
    pub os_type: String,
    /// `x86_64`.
    pub architecture: String,
    /// Default registry.
    pub index_server_address: String,
    /// Registries.
    pub registry_config: Value,
    /// CPUs.
    #[serde(rename = "NCPU")]
    pub n_cpu: i64,
    /// Bytes.
    pub mem_total: i64,
    /// Data root.
    pub docker_root_dir: String,
    /// Proxy.
    pub http_proxy: String,
    /// Proxy.
    pub https_proxy: String,
    /// Proxy.
    pub no_proxy: String,
    /// Host name.
    pub name: String,
    /// Labels of the engine.
    pub labels: Vec<String>,
    /// Experimental features.
    pub experimental_build: bool,
    /// Engine version.
    pub server_version: String,
    /// OCI runtimes.
    pub runtimes: BTreeMap<String, Value>,
    /// The one used by default.
    pub default_runtime: String,
    /// Swarm state.
    pub swarm: Value,
    /// Containers survive the daemon.
    pub live_restore_enabled: bool,
    /// Windows only.
    pub isolation: String,
    /// Path of the init used by `--init`.
    pub init_binary: String,
    /// Which containerd runs.
    pub containerd_commit: Commit,
    /// Which OCI runtime runs.
    pub runc_commit: Commit,
    /// Which init runs.
    pub init_commit: Commit,
    /// `name=seccomp,profile=builtin` …
    pub security_options: Vec<String>,
    /// Where container device interfaces are described.
    #[serde(rename = "CDISpecDirs")]
    pub cdi_spec_dirs: Vec<String>,
    /// Swarm only.
    pub generic_resources: Option<Vec<Value>>,
    /// What a person should know.
    pub warnings: Option<Vec<String>>,
}

/// The version of a part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Commit {
    /// Which it is.
    #[serde(rename = "ID")]
    pub id: String,
    /// Which was expected.
    #[serde(rename = "Expected")]
    pub expected: String,
}

/// Drivers by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InfoPlugins {
    /// Volume drivers.
    pub volume: Vec<String>,
    /// Network drivers.
    pub network: Vec<String>,
    /// Authorisation plug-ins.
    pub authorization: Option<Vec<String>>,
    /// Log drivers.
    pub log: Vec<String>,
}

/// One message of `GET /events`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// The action again, for old clients (containers and images).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// The actor's id again, for old clients.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The image again, for old clients (containers).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// `container`, `image`, `network`, `volume`, `daemon`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// `create`, `start`, `die`, …
    #[serde(rename = "Action")]
    pub action: String,
    /// To whom it happened.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// `local`.
    pub scope: String,
    /// Seconds since 1970.
    pub time: i64,
    /// Nanoseconds since 1970.
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
}

/// To whom an event happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Actor {
    /// Id or name.
    #[serde(rename = "ID")]
    pub id: String,
    /// Name, image, labels, exit code, …
    #[serde(rename = "Attributes")]
    pub attributes: BTreeMap<String, String>,
}

/// Answer of `GET /system/df`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DiskUsage {
    /// Bytes of all layers.
    pub layers_size: i64,
    /// Images.
    pub images: Vec<ImageSummary>,
    /// Containers.
    pub containers: Vec<ContainerSummary>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Build cache records.
    pub build_cache: Vec<Value>,
    /// Bytes of the build cache, for versions before 1.42.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builder_size: Option<i64>,
}

/// Body of `POST /auth`. Its keys are lower case in Docker's API.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthConfig {
    /// Account.
    pub username: String,
    /// Its secret.
    pub password: String,
    /// Registry.
    pub serveraddress: String,
    /// A token that stands for both.
    pub identitytoken: String,
}

/// Answer of `POST /auth`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AuthAnswer {
    /// For people.
    pub status: String,
    /// A token that stands for the password from now on.
    pub identity_token: String,
}

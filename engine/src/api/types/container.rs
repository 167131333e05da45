//! Containers: what a client asks for and what it is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{EndpointSettings, HostConfig, JsonSet, NetworkingConfig};

/// What runs in a container and how: the part an image also describes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    /// Name inside the UTS namespace.
    pub hostname: String,
    /// NIS domain name.
    pub domainname: String,
    /// `user[:group]`, names or numbers.
    pub user: String,
    /// The client wants the standard input.
    pub attach_stdin: bool,
    /// The client wants the standard output.
    pub attach_stdout: bool,
    /// The client wants the standard error.
    pub attach_stderr: bool,
    /// Ports the program listens on: `80/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: JsonSet,
    /// A terminal instead of three pipes.
    pub tty: bool,
    /// Keep the standard input open.
    pub open_stdin: bool,
    /// Close the standard input when the first client leaves.
    pub stdin_once: bool,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// The arguments, or the program when there is no entry point.
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
    /// How health is tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthConfig>,
    /// The name of the image, as the client wrote it.
    pub image: String,
    /// Paths that become anonymous volumes.
    pub volumes: Option<JsonSet>,
    /// Working directory.
    pub working_dir: String,
    /// The program.
    #[serde(deserialize_with = "words")]
    pub entrypoint: Option<Vec<String>>,
    /// Do not attach to any network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_disabled: Option<bool>,
    /// Deprecated place of the MAC address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mac_address: String,
    /// Instructions for images built on this one.
    pub on_build: Option<Vec<String>>,
    /// Free text by name.
    pub labels: BTreeMap<String, String>,
    /// Signal that asks the program to end.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Seconds between the stop signal and the kill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// Shell of the shell form.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "words")]
    pub shell: Option<Vec<String>>,
}

/// How a container's health is tested. Zeros are left out, as Docker does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthConfig {
    /// `["CMD", …]`, `["CMD-SHELL", "…"]`, `["NONE"]`, or empty to inherit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Nanoseconds between two tests.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub interval: i64,
    /// Nanoseconds one test may take.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub timeout: i64,
    /// Nanoseconds in which failures do not count.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub start_period: i64,
    /// Nanoseconds between two tests of the start period.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub start_interval: i64,
    /// Failures in a row that make it unhealthy.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub retries: i64,
}

/// Body of `POST /containers/create`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateContainer {
    /// What runs.
    #[serde(flatten)]
    pub config: ContainerConfig,
    /// What it gets from this host.
    pub host_config: HostConfig,
    /// The networks it joins.
    pub networking_config: NetworkingConfig,
}

/// Answer of `POST /containers/create`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerCreated {
    /// Full id.
    pub id: String,
    /// What was understood but not done as asked.
    pub warnings: Vec<String>,
}

/// A published port.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Port {
    /// Address on the host.
    #[serde(rename = "IP", skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// Port inside the container.
    pub private_port: u16,
    /// Port on the host, when published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_port: Option<u16>,
    /// `tcp`, `udp` or `sctp`.
    #[serde(rename = "Type")]
    pub protocol: String,
}

/// One line of `GET /containers/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerSummary {
    /// Full id.
    pub id: String,
    /// Names, each with a leading slash.
    pub names: Vec<String>,
    /// The image as it was named.
    pub image: String,
    /// The image's id.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// The command line, for people.
    pub command: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Ports, published and exposed.
    pub ports: Vec<Port>,
    /// Bytes in the writable layer, with `size=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_rw: Option<i64>,
    /// Bytes of the whole root file system, with `size=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_root_fs: Option<i64>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub state: String,
    /// For people: `Up 3 minutes`, `Exited (0) 2 hours ago`.
    pub status: String,
    /// The part of the host configuration that lists show.
    pub host_config: SummaryHostConfig,
    /// Networks joined.
    pub network_settings: SummaryNetworks,
    /// Mounts.
    pub mounts: Vec<MountPoint>,
}

/// The part of the host configuration that lists show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryHostConfig {
    /// Network mode.
    pub network_mode: String,
}

/// Networks of a listed container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryNetworks {
    /// By network name.
    pub networks: BTreeMap<String, EndpointSettings>,
}

/// A mount as it was resolved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MountPoint {
    /// `bind`, `volume` or `tmpfs`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Volume name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    pub destination: String,
    /// Volume driver.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub driver: String,
    /// Options as written.
    pub mode: String,
    /// Writable.
    #[serde(rename = "RW")]
    pub rw: bool,
    /// Propagation.
    pub propagation: String,
}

/// The state of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerState {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub status: String,
    /// A process exists.
    pub running: bool,
    /// Frozen.
    pub paused: bool,
    /// Waiting for its next start.
    pub restarting: bool,
    /// The kernel killed it for memory.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// Could not be removed.
    pub dead: bool,
    /// Process id of its first process, 0 without one.
    pub pid: i32,
    /// Last exit code.
    pub exit_code: i64,
    /// Why the last start failed.
    pub error: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub finished_at: String,
    /// Health, when tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// Health of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// `starting`, `healthy` or `unhealthy`.
    pub status: String,
    /// Failures in a row.
    pub failing_streak: i64,
    /// The last tests, the oldest first.
    pub log: Vec<HealthcheckResult>,
}

/// What one test of a container's health found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthcheckResult {
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
    /// 0 healthy, -1 not known, anything else unhealthy.
    pub exit_code: i64,
    /// The beginning of what it printed, or why it could not run.
    pub output: String,
}

/// Where the file system of a container or image lives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GraphDriver {
    /// Driver name.
    pub name: String,
    /// `LowerDir`, `UpperDir`, `WorkDir`, `MergedDir`.
    pub data: BTreeMap<String, String>,
}

/// Network state of one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    /// Bridge, when not the default one.
    pub bridge: String,
    /// Id of the sandbox.
    #[serde(rename = "SandboxID")]
    pub sandbox_id: String,
    /// Path of its network namespace.
    pub sandbox_key: String,
    /// Publications: `80/tcp` → addresses, or `null` for exposed only.
    pub ports: BTreeMap<String, Option<Vec<super::PortBinding>>>,
    /// Whether a container reaches itself by its published address through NAT.
    pub hairpin_mode: bool,
    /// Deprecated.
    #[serde(rename = "LinkLocalIPv6Address")]
    pub link_local_ipv6_address: String,
    /// Deprecated.
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    pub link_local_ipv6_prefix_len: u8,
    /// Deprecated.
    #[serde(rename = "SecondaryIPAddresses")]
    pub secondary_ip_addresses: Option<Vec<serde_json::Value>>,
    /// Deprecated.
    #[serde(rename = "SecondaryIPv6Addresses")]
    pub secondary_ipv6_addresses: Option<Vec<serde_json::Value>>,
    /// Of the default bridge.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// Of the default bridge.
    pub gateway: String,
    /// Of the default bridge.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// Of the default bridge.
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: u8,
    /// Of the default bridge.
    pub mac_address: String,
    /// Of the default bridge.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// Of the default bridge.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// Of the default bridge.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: u8,
    /// By network name.
    pub networks: BTreeMap<String, EndpointSettings>,
}

/// Answer of `GET /containers/{id}/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerInspect {
    /// Full id.
    pub id: String,
    /// RFC 3339.
    pub created: String,
    /// Program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// State.
    pub state: ContainerState,
    /// The image's id.
    pub image: String,
    /// File bound over /etc/resolv.conf.
    pub resolv_conf_path: String,
    /// File bound over /etc/hostname.
    pub hostname_path: String,
    /// File bound over /etc/hosts.
    pub hosts_path: String,
    /// Log file.
    pub log_path: String,
    /// With a leading slash.
    pub name: String,
    /// Restarts by policy.
    pub restart_count: i64,
    /// Storage driver.
    pub driver: String,
    /// `linux`.
    pub platform: String,
    /// SELinux label of mounts.
    pub mount_label: String,
    /// SELinux label of the process.
    pub process_label: String,
    /// AppArmor profile.
    pub app_armor_profile: String,
    /// Running exec instances.
    #[serde(rename = "ExecIDs")]
    pub exec_ids: Option<Vec<String>>,
    /// What it gets from this host.
    pub host_config: HostConfig,
    /// Storage.
    pub graph_driver: GraphDriver,
    /// Bytes in the writable layer, with `size=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_rw: Option<i64>,
    /// Bytes of the whole root file system, with `size=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_root_fs: Option<i64>,
    /// Mounts.
    pub mounts: Vec<MountPoint>,
    /// What runs.
    pub config: ContainerConfig,
    /// Networks.
    pub network_settings: NetworkSettings,
}

/// Answer of `POST /containers/{id}/wait`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerWait {
    /// Exit code.
    pub status_code: i64,
    /// Why waiting failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<WaitError>,
}

/// Why waiting failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitError {
    /// For people.
    pub message: String,
}

/// Answer of `GET /containers/{id}/top`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerTop {
    /// Column titles.
    pub titles: Vec<String>,
    /// One row per process.
    pub processes: Vec<Vec<String>>,
}

/// One entry of `GET /containers/{id}/changes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FilesystemChange {
    /// Absolute path.
    pub path: String,
    /// 0 modified, 1 added, 2 deleted.
    pub kind: u8,
}

/// Answer of the prune routes: the fields that apply are present.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PruneReport {
    /// Removed containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containers_deleted: Option<Vec<String>>,
    /// Removed images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images_deleted: Option<Vec<super::ImageDeleted>>,
    /// Removed networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks_deleted: Option<Vec<String>>,
    /// Removed volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volumes_deleted: Option<Vec<String>>,
    /// Bytes returned.
    pub space_reclaimed: u64,
}

/// Answer of `POST /containers/{id}/update`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerUpdated {
    /// What was understood but not done as asked.
    pub warnings: Option<Vec<String>>,
}

/// `X-Docker-Container-Path-Stat` of the archive routes, base64-encoded JSON there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PathStat {
    /// Base name.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Go's `FileMode` bits.
    pub mode: u32,
    /// RFC 3339.
    pub mtime: String,
    /// Target when it is a link.
    pub link_target: String,
}

/// Accepts `"ls"` and `["ls"]`, as Docker's `strslice` does.
fn words<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        One(String),
        Many(Vec<String>),
    }
    Ok(
        Option::<Words>::deserialize(input)?.map(|words| match words {
            Words::One(word) => vec![word],
            Words::Many(words) => words,
        }),
    )
}

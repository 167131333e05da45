//! A service in long form, with every key that is understood; another key is an error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::development::{Develop, Device, Gpu};

type Texts = BTreeMap<String, Option<String>>;

/// One service of a project; the names are those of the Compose specification.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Service {
    pub annotations: Texts,
    pub attach: Option<bool>,
    pub build: Option<Build>,
    pub blkio_config: Option<BlockIo>,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub cgroup: Option<String>,
    pub cgroup_parent: Option<String>,
    pub command: Option<Vec<String>>,
    pub configs: Vec<Grant>,
    pub container_name: Option<String>,
    pub cpu_period: Option<i64>,
    pub cpu_quota: Option<i64>,
    pub cpu_rt_period: Option<Value>,
    pub cpu_rt_runtime: Option<Value>,
    pub cpu_shares: Option<i64>,
    pub cpus: Option<Value>,
    pub cpuset: Option<String>,
    pub depends_on: BTreeMap<String, Dependency>,
    pub deploy: Option<Deploy>,
    pub develop: Option<Develop>,
    pub device_cgroup_rules: Vec<String>,
    pub devices: Vec<Device>,
    pub dns: Vec<String>,
    pub dns_opt: Vec<String>,
    pub dns_search: Vec<String>,
    pub domainname: Option<String>,
    pub entrypoint: Option<Vec<String>>,
    pub env_file: Vec<EnvFile>,
    pub environment: Texts,
    pub expose: Vec<String>,
    pub external_links: Vec<String>,
    pub extra_hosts: Vec<String>,
    pub gpus: Vec<Gpu>,
    pub group_add: Vec<Value>,
    pub healthcheck: Option<HealthCheck>,
    pub hostname: Option<String>,
    pub image: Option<String>,
    pub init: Option<bool>,
    pub ipc: Option<String>,
    pub isolation: Option<String>,
    pub labels: Texts,
    pub label_file: Vec<String>,
    pub links: Vec<String>,
    pub logging: Option<Logging>,
    pub mac_address: Option<String>,
    pub mem_limit: Option<Value>,
    pub mem_reservation: Option<Value>,
    pub mem_swappiness: Option<i64>,
    pub memswap_limit: Option<Value>,
    pub network_mode: Option<String>,
    pub networks: BTreeMap<String, Attachment>,
    pub oom_kill_disable: Option<bool>,
    pub oom_score_adj: Option<i64>,
    pub pid: Option<String>,
    pub pids_limit: Option<i64>,
    pub platform: Option<String>,
    pub ports: Vec<Port>,
    pub privileged: Option<bool>,
    pub profiles: Vec<String>,
    pub pull_policy: Option<String>,
    pub pull_refresh_after: Option<String>,
    pub read_only: Option<bool>,
    pub restart: Option<String>,
    pub runtime: Option<String>,
    pub scale: Option<u32>,
    pub secrets: Vec<Grant>,
    pub security_opt: Vec<String>,
    pub shm_size: Option<Value>,
    pub stdin_open: Option<bool>,
    pub stop_grace_period: Option<String>,
    pub stop_signal: Option<String>,
    pub storage_opt: BTreeMap<String, Value>,
    pub sysctls: Texts,
    pub tmpfs: Vec<String>,
    pub tty: Option<bool>,
    pub ulimits: BTreeMap<String, Limit>,
    pub user: Option<String>,
    pub userns_mode: Option<String>,
    pub uts: Option<String>,
    pub volumes: Vec<Mount>,
    pub volumes_from: Vec<String>,
    pub working_dir: Option<String>,
}

/// How an image is built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Build {
    pub context: String,
    pub dockerfile: Option<String>,
    pub dockerfile_inline: Option<String>,
    pub args: Texts,
    pub labels: Texts,
    pub additional_contexts: Texts,
    pub cache_from: Vec<String>,
    pub cache_to: Vec<String>,
    pub entitlements: Vec<String>,
    pub extra_hosts: Vec<String>,
    pub isolation: Option<String>,
    pub network: Option<String>,
    pub no_cache: Option<bool>,
    pub no_cache_filter: Vec<String>,
    pub platforms: Vec<String>,
    pub privileged: Option<bool>,
    pub provenance: Option<Value>,
    pub pull: Option<bool>,
    pub sbom: Option<Value>,
    pub secrets: Vec<Grant>,
    pub shm_size: Option<Value>,
    pub ssh: Texts,
    pub tags: Vec<String>,
    pub target: Option<String>,
    pub ulimits: BTreeMap<String, Limit>,
}

/// Weight and rates of block devices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct BlockIo {
    pub weight: Option<u16>,
    pub device_read_bps: Vec<Rate>,
    pub device_read_iops: Vec<Rate>,
    pub device_write_bps: Vec<Rate>,
    pub device_write_iops: Vec<Rate>,
    pub weight_device: Vec<Weight>,
}

/// A weight of one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Weight {
    pub path: String,
    pub weight: u16,
}

/// A rate of one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Rate {
    pub path: String,
    pub rate: Value,
}

/// What is waited for before a service starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Dependency {
    #[serde(default)]
    pub condition: Condition,
    #[serde(default)]
    pub restart: bool,
    #[serde(default = "yes")]
    pub required: bool,
}

fn yes() -> bool {
    true
}

/// The state a dependency must reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It runs.
    #[default]
    ServiceStarted,
    /// Its health test succeeds.
    ServiceHealthy,
    /// It ended with code 0.
    ServiceCompletedSuccessfully,
}

/// What an orchestrator is asked; `up` honours replicas, limits and the restart policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Deploy {
    pub mode: Option<String>,
    pub replicas: Option<u32>,
    pub labels: Value,
    pub resources: Resources,
    pub restart_policy: Option<RestartPolicy>,
    pub update_config: Value,
    pub rollback_config: Value,
    pub placement: Value,
    pub endpoint_mode: Option<String>,
}

/// Limits and reservations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Resources {
    pub limits: Amounts,
    pub reservations: Amounts,
}

/// Amounts of resources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Amounts {
    pub cpus: Option<Value>,
    pub memory: Option<Value>,
    pub pids: Option<i64>,
    pub devices: Vec<Gpu>,
    pub generic_resources: Value,
}

/// When an ended container is started again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct RestartPolicy {
    pub condition: Option<String>,
    pub delay: Option<String>,
    pub max_attempts: Option<i64>,
    pub window: Option<String>,
}

/// A file of variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct EnvFile {
    pub path: String,
    #[serde(default = "yes")]
    pub required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// How health is tested.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct HealthCheck {
    pub test: Vec<String>,
    pub interval: Option<String>,
    pub timeout: Option<String>,
    pub start_period: Option<String>,
    pub start_interval: Option<String>,
    pub retries: Option<i64>,
    pub disable: bool,
}

/// Where output goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Logging {
    pub driver: Option<String>,
    pub options: Texts,
}

/// A service's place in one network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Attachment {
    pub aliases: Vec<String>,
    pub gw_priority: Option<i64>,
    pub interface_name: Option<String>,
    pub ipv4_address: Option<String>,
    pub ipv6_address: Option<String>,
    pub link_local_ips: Vec<String>,
    pub mac_address: Option<String>,
    pub driver_opts: Texts,
    pub priority: Option<i64>,
}

/// A published port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Port {
    pub name: Option<String>,
    pub mode: Option<String>,
    pub host_ip: Option<String>,
    pub target: u16,
    pub published: Option<String>,
    pub protocol: String,
    pub app_protocol: Option<String>,
}

/// A config or a secret given to a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Grant {
    pub source: String,
    pub target: Option<String>,
    pub uid: Option<String>,
    pub gid: Option<String>,
    pub mode: Option<Value>,
}

/// One rlimit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Limit {
    pub soft: i64,
    pub hard: i64,
}

/// What is mounted in a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Mount {
    #[serde(rename = "type")]
    pub kind: String,
    pub source: Option<String>,
    pub target: String,
    pub read_only: bool,
    pub bind: Option<BindOptions>,
    pub volume: Option<VolumeOptions>,
    pub tmpfs: Option<TmpfsOptions>,
    pub image: Option<ImageOptions>,
    pub consistency: Option<String>,
}

/// Options of a bind mount.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct BindOptions {
    pub propagation: Option<String>,
    pub create_host_path: bool,
    pub recursive: Option<String>,
    pub selinux: Option<String>,
}

/// Options of a volume mount.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct VolumeOptions {
    pub labels: Texts,
    pub nocopy: bool,
    pub subpath: Option<String>,
}

/// Options of a tmpfs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct TmpfsOptions {
    pub size: Option<Value>,
    pub mode: Option<Value>,
}

/// Options of a mounted image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct ImageOptions {
    pub subpath: Option<String>,
}

impl Service {
    /// How many containers it has.
    pub fn replicas(&self) -> u32 {
        self.scale
            .or_else(|| self.deploy.as_ref().and_then(|deploy| deploy.replicas))
            .unwrap_or(1)
    }
}

//! The engine about itself: version, info, disk usage, events.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::api::types::{
    DiskUsage, Event, Info, InfoPlugins, Version, VersionComponent, VersionPlatform,
};

use super::container::State;
use super::inspect::Sizes;
use super::sysinfo::{Offer, SysInfo};
use super::{Daemon, DaemonError, Filters, IntermediateImages};

/// The highest version of the API.
pub const API_VERSION: &str = "1.45";
/// The lowest version of the API.
pub const MIN_API_VERSION: &str = "1.24";

impl Daemon {
    /// What this is.
    pub fn version(&self) -> Version {
        let kernel = kernel_release();
        let details = [
            ("ApiVersion", API_VERSION),
            ("Arch", architecture()),
            ("KernelVersion", kernel.as_str()),
            ("MinAPIVersion", MIN_API_VERSION),
            ("Os", "linux"),
        ];
        Version {
            platform: VersionPlatform {
                name: "Quai".into(),
            },
            components: vec![VersionComponent {
                name: "Engine".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                details: details
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
            }],
            version: env!("CARGO_PKG_VERSION").into(),
            api_version: API_VERSION.into(),
            min_api_version: MIN_API_VERSION.into(),
            os: "linux".into(),
            arch: architecture().into(),
            kernel_version: kernel,
            ..Version::default()
        }
    }

    /// How it is.
    pub async fn info(self: &Arc<Self>) -> Result<Info, DaemonError> {
        self.block(|daemon| Ok(daemon.info_now())).await
    }

    fn info_now(&self) -> Info {
        let states: Vec<State> = self
            .all_containers()
            .iter()
            .map(|container| container.lock().record.state.clone())
            .collect();
        let count = |test: fn(&State) -> bool| {
            i64::try_from(states.iter().filter(|state| test(state)).count()).unwrap_or(0)
        };
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let memory = read("/proc/meminfo")
            .lines()
            .next()
            .and_then(|line| line.split_whitespace().nth(1)?.parse::<i64>().ok());
        let os = read("/etc/os-release");
        let os_line = |key: &str| {
            let line = os
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.map(|text| text.trim_matches('"').to_owned())
                .unwrap_or_default()
        };
        let kernel = SysInfo::detect();
        let unified = kernel.unified;
        Info {
            id: self.id.clone(),
            containers: i64::try_from(states.len()).unwrap_or(0),
            containers_running: count(|state| matches!(state, State::Running(_))),
            containers_paused: count(|state| matches!(state, State::Paused(_))),
            containers_stopped: count(|state| state.process().is_none()),
            images: i64::try_from(self.count_images()).unwrap_or(0),
            driver: "overlay2".into(),
            driver_status: vec![["userxattr".into(), "true".into()]],
            plugins: InfoPlugins {
                volume: vec!["local".into()],
                network: vec!["bridge".into(), "host".into(), "null".into()],
                authorization: None,
                log: super::log_driver::DRIVERS.map(String::from).into(),
            },
            memory_limit: kernel.has(Offer::Memory),
            swap_limit: kernel.has(Offer::Swap),
            kernel_memory_tcp: kernel.has(Offer::KernelMemoryTcp),
            cpu_cfs_period: kernel.has(Offer::CpuCfs),
            cpu_cfs_quota: kernel.has(Offer::CpuCfs),
            cpu_shares: kernel.has(Offer::CpuShares),
            cpu_set: kernel.has(Offer::Cpuset),
            pids_limit: kernel.has(Offer::Pids),
            oom_kill_disable: kernel.has(Offer::OomKillDisable),
            ipv4_forwarding: read("/proc/sys/net/ipv4/ip_forward").trim() == "1",
            bridge_nf_iptables: read("/proc/sys/net/bridge/bridge-nf-call-iptables").trim() == "1",
            bridge_nf_ip6tables: read("/proc/sys/net/bridge/bridge-nf-call-ip6tables").trim()
                == "1",
            debug: self.config.log_level == "debug",
            n_fd: std::fs::read_dir("/proc/self/fd")
                .map_or(0, |dir| i64::try_from(dir.count()).unwrap_or(0)),
            system_time: Timestamp::now().to_string(),
            logging_driver: self.config.life.log_driver.clone(),
            cgroup_driver: if kernel.absent { "none" } else { "cgroupfs" }.into(),
            cgroup_version: if unified { "2" } else { "1" }.into(),
            n_events_listener: i64::try_from(self.events.listeners()).unwrap_or(0),
            kernel_version: kernel_release(),
            operating_system: os_line("PRETTY_NAME"),
            os_version: os_line("VERSION_ID"),
            os_type: "linux".into(),
            architecture: std::env::consts::ARCH.into(),
            index_server_address: "https://index.docker.io/v1/".into(),
            registry_config: serde_json::json!({
                "InsecureRegistryCIDRs": ["127.0.0.0/8"],
                "IndexConfigs": self.index_configs(),
                "Mirrors": self.config.registry_mirrors,
            }),
            n_cpu: std::thread::available_parallelism()
                .map_or(1, |cpus| i64::try_from(cpus.get()).unwrap_or(1)),
            mem_total: memory.unwrap_or(0) * 1024,
            docker_root_dir: self.config.data_root.display().to_string(),
            name: read("/proc/sys/kernel/hostname").trim().to_owned(),
            labels: self.config.labels.clone(),
            server_version: env!("CARGO_PKG_VERSION").into(),
            runtimes: self
                .config
                .defaults
                .runtimes
                .iter()
                .map(|name| (name.clone(), serde_json::json!({ "path": "quai" })))
                .collect(),
            default_runtime: self.config.defaults.runtime.clone(),
            swarm: serde_json::json!({
                "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "",
                "RemoteManagers": null,
            }),
            live_restore_enabled: self.config.life.live_restore,
            init_binary: "quai".into(),
            warnings: warnings(&kernel),
            security_options: self.security_options(),
            ..Info::default()
        }
    }

    /// What confines containers here, in Docker's words and order.
    fn security_options(&self) -> Vec<String> {
        let profile = crate::runtime::apparmor::usual().then_some("name=apparmor");
        let rootless = self.door.is_some().then_some("name=rootless");
        let filter = format!("name=seccomp,profile={}", self.config.defaults.seccomp_name);
        profile
            .into_iter()
            .chain([filter.as_str()])
            .chain(rootless)
            .map(str::to_owned)
            .collect()
    }

    /// How the registries are reached that the configuration names.
    fn index_configs(&self) -> serde_json::Value {
        let mut all = serde_json::Map::new();
        let one = |name: &str, secure, official, mirrors: &[String]| serde_json::json!({ "Name": name, "Mirrors": mirrors, "Secure": secure, "Official": official });
        let default = one("docker.io", true, true, &self.config.registry_mirrors);
        all.insert("docker.io".to_owned(), default);
        for host in &self.config.insecure_registries {
            all.insert(host.clone(), one(host, false, false, &[]));
        }
        all.into()
    }

    /// What takes how much space.
    pub async fn disk_usage(self: &Arc<Self>) -> Result<DiskUsage, DaemonError> {
        self.block(|daemon| {
            let names = daemon.names_of_images();
            let containers = daemon.all_containers();
            let mut images =
                daemon.list_images_now(&Filters::default(), IntermediateImages::Hidden)?;
            for image in &mut images {
                let users = containers
                    .iter()
                    .filter(|c| c.lock().record.image_id.to_string() == image.id);
                image.containers = i64::try_from(users.count()).unwrap_or(0);
                image.shared_size = 0;
            }
            let mut layers = 0;
            for chain in daemon.used_chains() {
                layers += daemon.store.layer(&chain)?.record.size;
            }
            Ok(DiskUsage {
                layers_size: i64::try_from(layers).unwrap_or(i64::MAX),
                images,
                containers: containers
                    .iter()
                    .map(|c| daemon.summary(&c.record(), Sizes::Computed, &names))
                    .collect(),
                volumes: daemon.volumes_with_usage()?,
                build_cache: daemon.cache_usage()?,
                builder_size: None,
            })
        })
        .await
    }

    fn used_chains(&self) -> std::collections::BTreeSet<crate::oci::Digest> {
        let images = crate::image::images_of(&self.store).unwrap_or_default();
        images
            .iter()
            .flat_map(|(image, _)| image.chains())
            .collect()
    }

    /// Events since a time (nanoseconds), then live ones.
    pub async fn events(
        self: &Arc<Self>,
        since: Option<i64>,
    ) -> Result<(Vec<Event>, broadcast::Receiver<Event>), DaemonError> {
        self.block(move |daemon| Ok(daemon.events.listen(since)))
            .await
    }
}

/// What this host cannot hold, for people.
fn warnings(kernel: &SysInfo) -> Option<Vec<String>> {
    if kernel.absent {
        let remedy = if kernel.unified {
            "Systemd is required to enable cgroups in rootless-mode."
        } else {
            "To enable cgroups in rootless-mode, you need to boot the system in cgroup v2 mode."
        };
        return Some(vec![format!(
            "WARNING: Running in rootless-mode without cgroups. {remedy}"
        )]);
    }
    let wanted = [
        (Offer::Memory, "memory limit support"),
        (Offer::Swap, "swap limit support"),
        (Offer::CpuCfs, "cpu cfs quota support"),
        (Offer::CpuCfs, "cpu cfs period support"),
        (Offer::CpuShares, "cpu shares support"),
        (Offer::Cpuset, "cpuset support"),
    ];
    let missing = wanted.iter().filter(|(offer, _)| !kernel.has(*offer));
    let warnings: Vec<_> = missing
        .map(|(_, what)| format!("WARNING: No {what}"))
        .collect();
    (!warnings.is_empty()).then_some(warnings)
}

/// Whether an event passes the filters.
pub fn event_matches(event: &Event, filters: &Filters) -> bool {
    let name = event.actor.attributes.get("name").map(String::as_str);
    let id = event.actor.id.as_str();
    let of_kind = |kind: &str| {
        filters.any(kind, |wanted| {
            event.kind == kind
                && (id == wanted || name == Some(wanted) || id.starts_with(wanted.as_str()))
        })
    };
    let bare = |text: &str| text.split([':', '@']).next().unwrap_or_default().to_owned();
    let image = filters.any("image", |wanted| {
        let of_image = (event.kind == "image").then_some(name).flatten();
        let image = event
            .actor
            .attributes
            .get("image")
            .map(String::as_str)
            .or(of_image);
        (event.kind == "image" && id == wanted)
            || image.is_some_and(|image| image == wanted || bare(image) == *wanted)
    });
    let known = filters.keys().all(|key| EVENT_FILTERS.contains(&key));
    known
        && image
        && filters.any("type", |wanted| event.kind == *wanted)
        && filters.any("event", |wanted| {
            event.action == *wanted || event.action.split(':').next() == Some(wanted.as_str())
        })
        && filters.any("scope", |wanted| event.scope == *wanted)
        && filters.labels(&event.actor.attributes)
        && [
            "container",
            "network",
            "volume",
            "plugin",
            "daemon",
            "service",
            "node",
            "secret",
            "config",
        ]
        .iter()
        .all(|kind| of_kind(kind))
}

/// Filters of events; any other matches nothing.
const EVENT_FILTERS: [&str; 15] = [
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "label!",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
];

/// The `until` filter: a time, seconds, or a duration before now.
pub(crate) fn until(filters: &Filters) -> Result<Option<Timestamp>, DaemonError> {
    filters
        .get("until")
        .first()
        .map(|text| parse_time(text))
        .transpose()
}

/// `2026-01-01T00:00:00Z`, `1700000000.5`, or `10m` (before now).
pub fn parse_time(text: &str) -> Result<Timestamp, DaemonError> {
    let bad = || {
        DaemonError::Invalid(format!(
            "failed to parse value as time or duration: {text:?}"
        ))
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if let Ok(seconds) = seconds.parse::<i64>() {
        let digits: String = fraction
            .chars()
            .chain("000000000".chars())
            .take(9)
            .collect();
        let nanoseconds = digits.parse::<i32>().map_err(|_| bad())?;
        return Timestamp::new(seconds, nanoseconds).map_err(|_| bad());
    }
    let span: jiff::SignedDuration = text.parse().map_err(|_| bad())?;
    Timestamp::now().checked_sub(span).map_err(|_| bad())
}

fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_forms() {
        assert_eq!(parse_time("0").unwrap(), Timestamp::UNIX_EPOCH);
        assert_eq!(parse_time("1.5").unwrap().as_millisecond(), 1500);
        assert_eq!(
            parse_time("2026-01-01T00:00:00Z").unwrap().as_second(),
            1_767_225_600
        );
        assert!(parse_time("10m").unwrap() < Timestamp::now());
        assert!(parse_time("soon").is_err());
    }
}

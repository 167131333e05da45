//! What the container gets from its host: mounts, limits, ports, rights.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::container_name;
use super::process::target;
use super::{devices, flat};
use crate::compose::error::ComposeError;
use crate::compose::project::Project;
use crate::compose::service::{Amounts, Mount, Rate, Service};
use crate::compose::units;

/// The body's `HostConfig`, but for the network mode.
pub(super) fn config(
    project: &Project,
    name: &str,
    service: &Service,
    inherited: &BTreeMap<String, String>,
) -> Result<Map<String, Value>, ComposeError> {
    let mut host = Map::new();
    mounts(project, name, service, inherited, &mut host)?;
    ports(service, &mut host);
    limits(name, service, &mut host)?;
    host.insert("RestartPolicy".into(), restart(name, service)?);
    if let Some(logging) = &service.logging {
        host.insert(
            "LogConfig".into(),
            json!({
                "Type": logging.driver.as_deref().unwrap_or(""),
                "Config": flat(&logging.options),
            }),
        );
    }
    for (key, list) in [
        ("CapAdd", &service.cap_add),
        ("CapDrop", &service.cap_drop),
        ("Dns", &service.dns),
        ("DnsOptions", &service.dns_opt),
        ("DnsSearch", &service.dns_search),
        ("ExtraHosts", &service.extra_hosts),
        ("SecurityOpt", &service.security_opt),
        ("DeviceCgroupRules", &service.device_cgroup_rules),
    ] {
        if !list.is_empty() {
            host.insert(key.into(), json!(list));
        }
    }
    for (key, text) in [
        ("CgroupParent", &service.cgroup_parent),
        ("CgroupnsMode", &service.cgroup),
        ("Runtime", &service.runtime),
        ("UsernsMode", &service.userns_mode),
        ("UTSMode", &service.uts),
        ("Isolation", &service.isolation),
    ] {
        if let Some(text) = text {
            host.insert(key.into(), json!(text));
        }
    }
    for (key, mode) in [("IpcMode", &service.ipc), ("PidMode", &service.pid)] {
        if let Some(mode) = mode {
            host.insert(key.into(), json!(shared(project, mode)));
        }
    }
    for (key, is) in [
        ("Privileged", service.privileged),
        ("ReadonlyRootfs", service.read_only),
        ("Init", service.init),
        ("OomKillDisable", service.oom_kill_disable),
    ] {
        if let Some(is) = is {
            host.insert(key.into(), json!(is));
        }
    }
    if !service.group_add.is_empty() {
        let groups: Vec<String> = service
            .group_add
            .iter()
            .map(|group| {
                group
                    .as_str()
                    .map_or_else(|| group.to_string(), str::to_owned)
            })
            .collect();
        host.insert("GroupAdd".into(), json!(groups));
    }
    for (key, map) in [
        ("Sysctls", &service.sysctls),
        ("Annotations", &service.annotations),
    ] {
        if !map.is_empty() {
            host.insert(key.into(), json!(flat(map)));
        }
    }
    if !service.storage_opt.is_empty() {
        host.insert("StorageOpt".into(), json!(service.storage_opt));
    }
    if !service.devices.is_empty() {
        let devices = devices::of_host(service);
        host.insert("Devices".into(), devices.into());
    }
    let requests = devices::requests(name, service)?;
    if !requests.is_empty() {
        host.insert("DeviceRequests".into(), requests.into());
    }
    Ok(host)
}

/// `service:NAME` shares with the first container of that service.
fn shared(project: &Project, mode: &str) -> String {
    match mode.strip_prefix("service:") {
        Some(other) => match project.services.get(other) {
            Some(service) => format!("container:{}", container_name(project, other, service, 1)),
            None => mode.to_owned(),
        },
        None => mode.to_owned(),
    }
}

fn mounts(
    project: &Project,
    name: &str,
    service: &Service,
    inherited: &BTreeMap<String, String>,
    host: &mut Map<String, Value>,
) -> Result<(), ComposeError> {
    let mut binds = Vec::new();
    let mut long = Vec::new();
    for mount in &service.volumes {
        match mount.kind.as_str() {
            "volume" => long.push(volume(project, mount, inherited)),
            "bind" => match bind(mount) {
                Bound::Short(text) => binds.push(text),
                Bound::Long(body) => long.push(body),
            },
            "tmpfs" => {
                let options = mount.tmpfs.clone().unwrap_or_default();
                let size = options.size.as_ref().and_then(units::bytes);
                let mode = options.mode.as_ref().and_then(units::octal);
                long.push(json!({
                    "Type": "tmpfs",
                    "Target": mount.target,
                    "ReadOnly": mount.read_only,
                    "TmpfsOptions": { "SizeBytes": size.unwrap_or(0), "Mode": mode.unwrap_or(0) },
                }));
            }
            "image" => {
                let options = mount.image.clone().unwrap_or_default();
                long.push(json!({
                    "Type": "image",
                    "Source": mount.source.as_deref().unwrap_or_default(),
                    "Target": mount.target,
                    "ReadOnly": mount.read_only,
                    "ImageOptions": { "Subpath": options.subpath.unwrap_or_default() },
                }));
            }
            other => {
                return Err(ComposeError::invalid(
                    format!("services.{name}.volumes"),
                    format!(
                        "mounts of type \"{other}\" are not supported: volume, bind, tmpfs and image are"
                    ),
                ));
            }
        }
    }
    let secrets = service
        .secrets
        .iter()
        .map(|grant| (grant, &project.secrets, "/run/secrets/"));
    let configs = service
        .configs
        .iter()
        .map(|grant| (grant, &project.configs, "/"));
    for (grant, section, folder) in secrets.chain(configs) {
        if let Some(file) = &section[&grant.source].file {
            binds.push(format!("{file}:{}:ro", target(grant, folder)));
        }
    }
    // Volumes that the image declares live on in the container that takes the old one's place.
    for (target, volume) in inherited {
        if !service.volumes.iter().any(|mount| mount.target == *target) {
            binds.push(format!("{volume}:{target}"));
        }
    }
    if !binds.is_empty() {
        host.insert("Binds".into(), json!(binds));
    }
    if !long.is_empty() {
        host.insert("Mounts".into(), long.into());
    }
    if !service.tmpfs.is_empty() {
        let tmpfs: Map<String, Value> = service
            .tmpfs
            .iter()
            .map(|text| {
                let (path, options) = text.split_once(':').unwrap_or((text, ""));
                (path.to_owned(), json!(options))
            })
            .collect();
        host.insert("Tmpfs".into(), tmpfs.into());
    }
    let from: Vec<String> = service
        .volumes_from
        .iter()
        .map(|text| match text.strip_prefix("container:") {
            Some(container) => container.to_owned(),
            None => {
                let (other, mode) = text.split_once(':').unwrap_or((text, "rw"));
                match project.services.get(other) {
                    Some(service) => {
                        format!("{}:{mode}", container_name(project, other, service, 1))
                    }
                    None => text.clone(),
                }
            }
        })
        .collect();
    if !from.is_empty() {
        host.insert("VolumesFrom".into(), json!(from));
    }
    Ok(())
}

fn volume(project: &Project, mount: &Mount, inherited: &BTreeMap<String, String>) -> Value {
    let source = match &mount.source {
        Some(key) => project.volumes.get(key).map(|volume| volume.name.clone()),
        None => inherited.get(&mount.target).cloned(),
    };
    let options = mount.volume.clone().unwrap_or_default();
    let mut body = json!({
        "Type": "volume",
        "Source": source.unwrap_or_default(),
        "Target": mount.target,
        "ReadOnly": mount.read_only,
        "VolumeOptions": { "NoCopy": options.nocopy, "Labels": flat(&options.labels) },
    });
    if let Some(subpath) = options.subpath {
        body["VolumeOptions"]["Subpath"] = json!(subpath);
    }
    body
}

/// The two ways to ask for a bind mount: only the short one makes the host's folder.
enum Bound {
    Short(String),
    Long(Value),
}

fn bind(mount: &Mount) -> Bound {
    let source = mount.source.as_deref().unwrap_or_default();
    let options = mount.bind.clone().unwrap_or_default();
    let propagation = options.propagation.as_deref().unwrap_or("rprivate");
    if !options.create_host_path || options.recursive.is_some() {
        let mut how = json!({
            "Propagation": propagation,
            "CreateMountpoint": options.create_host_path,
        });
        match options.recursive.as_deref() {
            Some("disabled") => how["NonRecursive"] = json!(true),
            Some("writable") => how["ReadOnlyNonRecursive"] = json!(true),
            Some("readonly") => how["ReadOnlyForceRecursive"] = json!(true),
            _ => {}
        }
        return Bound::Long(json!({
            "Type": "bind",
            "Source": source,
            "Target": mount.target,
            "ReadOnly": mount.read_only,
            "BindOptions": how,
        }));
    }
    let access = if mount.read_only { "ro" } else { "rw" };
    Bound::Short(match &options.propagation {
        Some(propagation) => format!("{source}:{}:{access},{propagation}", mount.target),
        None => format!("{source}:{}:{access}", mount.target),
    })
}

fn ports(service: &Service, host: &mut Map<String, Value>) {
    let mut bindings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in &service.ports {
        bindings
            .entry(format!("{}/{}", port.target, port.protocol))
            .or_default()
            .push(json!({
                "HostIp": port.host_ip.as_deref().unwrap_or(""),
                "HostPort": port.published.as_deref().unwrap_or(""),
            }));
    }
    if !bindings.is_empty() {
        host.insert("PortBindings".into(), json!(bindings));
    }
}

fn limits(
    name: &str,
    service: &Service,
    host: &mut Map<String, Value>,
) -> Result<(), ComposeError> {
    let at = |key: &str| format!("services.{name}.{key}");
    let none = Amounts::default();
    let (most, least) = match &service.deploy {
        Some(deploy) => (&deploy.resources.limits, &deploy.resources.reservations),
        None => (&none, &none),
    };
    for (key, option, value) in [
        (
            "Memory",
            "mem_limit",
            service.mem_limit.as_ref().or(most.memory.as_ref()),
        ),
        (
            "MemoryReservation",
            "mem_reservation",
            service.mem_reservation.as_ref().or(least.memory.as_ref()),
        ),
        (
            "MemorySwap",
            "memswap_limit",
            service.memswap_limit.as_ref(),
        ),
        ("ShmSize", "shm_size", service.shm_size.as_ref()),
    ] {
        if let Some(value) = value {
            let bytes = match value.as_i64() {
                Some(-1) => Some(-1),
                _ => units::bytes(value),
            };
            let bytes = bytes
                .ok_or_else(|| ComposeError::invalid(at(option), format!("{value} is no size")))?;
            host.insert(key.into(), json!(bytes));
        }
    }
    if let Some(cpus) = service.cpus.as_ref().or(most.cpus.as_ref()) {
        let number = cpus
            .as_f64()
            .or_else(|| cpus.as_str().and_then(|text| text.parse().ok()))
            .filter(|number| *number >= 0.0)
            .ok_or_else(|| {
                ComposeError::invalid(at("cpus"), format!("{cpus} is no number of processors"))
            })?;
        host.insert("NanoCpus".into(), json!((number * 1e9) as i64));
    }
    for (key, number) in [
        ("CpuPeriod", service.cpu_period),
        ("CpuQuota", service.cpu_quota),
        ("CpuShares", service.cpu_shares),
        ("MemorySwappiness", service.mem_swappiness),
        ("OomScoreAdj", service.oom_score_adj),
        ("PidsLimit", service.pids_limit.or(most.pids)),
    ] {
        if let Some(number) = number {
            host.insert(key.into(), json!(number));
        }
    }
    for (key, option, value) in [
        ("CpuRealtimePeriod", "cpu_rt_period", &service.cpu_rt_period),
        (
            "CpuRealtimeRuntime",
            "cpu_rt_runtime",
            &service.cpu_rt_runtime,
        ),
    ] {
        if let Some(value) = value {
            let micros = units::microseconds(value).ok_or_else(|| {
                ComposeError::invalid(at(option), format!("{value} is no duration"))
            })?;
            host.insert(key.into(), json!(micros));
        }
    }
    if let Some(set) = &service.cpuset {
        host.insert("CpusetCpus".into(), json!(set));
    }
    if !service.ulimits.is_empty() {
        let limits: Vec<Value> = service
            .ulimits
            .iter()
            .map(|(name, limit)| json!({ "Name": name, "Soft": limit.soft, "Hard": limit.hard }))
            .collect();
        host.insert("Ulimits".into(), limits.into());
    }
    if let Some(block) = &service.blkio_config {
        if let Some(weight) = block.weight {
            host.insert("BlkioWeight".into(), json!(weight));
        }
        if !block.weight_device.is_empty() {
            let weights: Vec<Value> = block
                .weight_device
                .iter()
                .map(|one| json!({ "Path": one.path, "Weight": one.weight }))
                .collect();
            host.insert("BlkioWeightDevice".into(), weights.into());
        }
        for (key, rates) in [
            ("BlkioDeviceReadBps", &block.device_read_bps),
            ("BlkioDeviceReadIOps", &block.device_read_iops),
            ("BlkioDeviceWriteBps", &block.device_write_bps),
            ("BlkioDeviceWriteIOps", &block.device_write_iops),
        ] {
            if !rates.is_empty() {
                host.insert(key.into(), self::rates(rates, &at("blkio_config"))?);
            }
        }
    }
    Ok(())
}

fn rates(rates: &[Rate], at: &str) -> Result<Value, ComposeError> {
    let mut list = Vec::new();
    for rate in rates {
        let number = units::bytes(&rate.rate)
            .ok_or_else(|| ComposeError::invalid(at, format!("{} is no rate", rate.rate)))?;
        list.push(json!({ "Path": rate.path, "Rate": number }));
    }
    Ok(list.into())
}

/// `restart`, or what `deploy` says of it.
fn restart(name: &str, service: &Service) -> Result<Value, ComposeError> {
    if let Some(text) = &service.restart {
        let (policy, count) = text.split_once(':').unwrap_or((text, "0"));
        let count: i64 = count.parse().map_err(|_| {
            ComposeError::invalid(
                format!("services.{name}.restart"),
                format!("\"{text}\": the number of attempts is no number"),
            )
        })?;
        return Ok(json!({ "Name": policy, "MaximumRetryCount": count }));
    }
    let policy = service
        .deploy
        .as_ref()
        .and_then(|deploy| deploy.restart_policy.as_ref());
    Ok(match policy {
        Some(policy) => match policy.condition.as_deref() {
            Some("none") => json!({ "Name": "no" }),
            Some("on-failure") => {
                json!({ "Name": "on-failure", "MaximumRetryCount": policy.max_attempts.unwrap_or(0) })
            }
            _ => json!({ "Name": "always" }),
        },
        None => json!({ "Name": "no" }),
    })
}

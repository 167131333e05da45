//! A record becomes the runtime's wish: everything resolved, nothing decided twice.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::api::types::{HostConfig, MountPoint};
use crate::runtime::request::{
    Access, AppArmorSpec, CapabilitySpec, DeviceSpec, InitProcess, Keeping, Manner, MountSource,
    MountSpec, Namespaces, ProcessSpec, Resources, Rlimit, Root, RunRequest, SeccompSpec, Sharing,
    Stdin, TerminalSize, Writable,
};
use crate::stage::Stage;
use crate::store::OverlayPlan;

use super::container::ContainerRecord;
use super::volume_options::Mounted;
use super::{Daemon, DaemonError};

/// The period that `--cpus` is measured in, microseconds.
const CPU_PERIOD: i64 = 100_000;

impl Daemon {
    /// What the runtime is asked for this container.
    pub(crate) fn wish(&self, record: &ContainerRecord) -> Result<RunRequest, DaemonError> {
        let (config, host) = (&record.config, &record.host_config);
        if let Some(request) = host.device_requests.iter().flatten().next() {
            let driver = request["Driver"].as_str().unwrap_or_default();
            return Err(DaemonError::Refused(format!(
                "could not select device driver \"{driver}\" with capabilities: {}",
                capabilities_of(request)
            )));
        }
        self.check_devices(host)?;
        let dir = self.container_dir(&record.id);
        let overlay = OverlayPlan::new(self.lowers(record)?, &dir);
        let mut mounts: Vec<MountSpec> = record
            .mounts
            .iter()
            .map(|mount| self.mount_spec(host, mount))
            .collect::<Result<_, _>>()?;
        mounts.extend(self.tmpfs_mounts(host));
        // A mount below another one comes after it.
        mounts.sort_by_key(|mount| {
            mount
                .target
                .split('/')
                .filter(|part| !part.is_empty())
                .count()
        });
        if !host.network_mode.starts_with("container:") {
            for name in ["hosts", "hostname", "resolv.conf"] {
                let target = format!("/etc/{name}");
                if !mounts.iter().any(|mount| mount.target == target) {
                    mounts.push(MountSpec {
                        target,
                        source: MountSource::Engine(dir.join(name)),
                        access: Access::ReadWrite,
                        manner: Manner::default(),
                    });
                }
            }
        }
        Ok(RunRequest {
            id: record.id.clone(),
            hostname: if host.uts_mode == "host" {
                String::new()
            } else {
                config.hostname.clone()
            },
            domainname: config.domainname.clone(),
            root: Root {
                lower: overlay.lowers,
                writable: Some(Writable {
                    upper: overlay.upper,
                    work: overlay.work,
                    // After a reboot nothing is left of what had `--rm`.
                    keeping: if host.auto_remove {
                        Keeping::UntilReboot
                    } else {
                        Keeping::AsFiles
                    },
                }),
                access: access(host.readonly_rootfs),
            },
            process: self.process(record)?,
            init: if host.init.unwrap_or(self.config.life.init) {
                InitProcess::Reaper
            } else {
                InitProcess::Program
            },
            namespaces: self.namespaces(host)?,
            mounts,
            shm_size: u64::try_from(host.shm_size).unwrap_or(0),
            cgroup_parent: host.cgroup_parent.clone(),
            resources: Resources {
                rare: self.block_limits(host)?,
                ..resources(host)
            },
            devices: devices(host),
            sysctls: self.sysctls(host),
            masked_paths: host.masked_paths.clone(),
            readonly_paths: host.readonly_paths.clone(),
            log: self.log_spec(record)?,
        })
    }

    fn process(&self, record: &ContainerRecord) -> Result<ProcessSpec, DaemonError> {
        let (config, host) = (&record.config, &record.host_config);
        let argv = [
            config.entrypoint.clone().unwrap_or_default(),
            config.cmd.clone().unwrap_or_default(),
        ]
        .concat();
        let (seccomp, no_new_privileges) = self.security(host)?;
        let [rows, cols] = host.console_size;
        Ok(ProcessSpec {
            argv,
            env: [self.link_environment(record), config.env.clone()].concat(),
            cwd: config.working_dir.clone(),
            user: config.user.clone(),
            groups: host.group_add.clone().unwrap_or_default(),
            terminal: config.tty.then_some(TerminalSize { cols, rows }),
            stdin: match (config.open_stdin, config.stdin_once) {
                (false, _) => Stdin::Null,
                (true, true) => Stdin::Once,
                (true, false) => Stdin::Open,
            },
            capabilities: capabilities(host),
            seccomp,
            apparmor: apparmor(host),
            no_new_privileges,
            rlimits: self.rlimits(host),
            oom_score_adj: (host.oom_score_adj != 0).then_some(host.oom_score_adj),
        })
    }

    fn namespaces(&self, host: &HostConfig) -> Result<Namespaces, DaemonError> {
        Ok(Namespaces {
            pid: self.sharing(&host.pid_mode)?,
            ipc: self.sharing(&host.ipc_mode)?,
            uts: self.sharing(&host.uts_mode)?,
            net: self.sharing(&host.network_mode)?,
            cgroup: self.sharing(&host.cgroupns_mode)?,
        })
    }

    fn sharing(&self, mode: &str) -> Result<Sharing, DaemonError> {
        match mode.split_once(':') {
            _ if mode == "host" => Ok(Sharing::Host),
            Some(("container", other)) => {
                let other = self.container(other)?;
                let inner = other.lock();
                let process = inner.record.state.process();
                let process = process.ok_or_else(|| {
                    DaemonError::Conflict(format!(
                        "cannot join the namespace of a non running container: {}",
                        other.id
                    ))
                })?;
                Ok(Sharing::Of(process.engine_pid))
            }
            _ => Ok(Sharing::New),
        }
    }

    /// The client's, and on a host Docker's own: in a network of its own any user opens any port.
    fn sysctls(&self, host: &HostConfig) -> BTreeMap<String, String> {
        let mut all = host.sysctls.clone();
        let mode = host.network_mode.as_str();
        let is_own = mode != "host" && !mode.starts_with("container:");
        if is_own && self.stage == Stage::Host {
            all.entry("net.ipv4.ip_unprivileged_port_start".to_owned())
                .or_insert_with(|| "0".to_owned());
        }
        all
    }

    fn tmpfs_mounts(&self, host: &HostConfig) -> Vec<MountSpec> {
        let spec = |target: &String, options: String, access| MountSpec {
            target: target.clone(),
            source: MountSource::Tmpfs(options),
            access,
            manner: Manner::default(),
        };
        let short = host
            .tmpfs
            .iter()
            .map(|(target, options)| spec(target, options.clone(), Access::ReadWrite));
        let long = host
            .mounts
            .iter()
            .flatten()
            .filter(|mount| mount.kind == "tmpfs")
            .map(|mount| {
                let mut words = Vec::new();
                if let Some(options) = &mount.tmpfs_options {
                    if options.size_bytes > 0 {
                        words.push(format!("size={}", options.size_bytes));
                    }
                    if options.mode != 0 {
                        words.push(format!("mode={:o}", options.mode));
                    }
                }
                spec(&mount.target, words.join(","), access(mount.read_only))
            });
        short.chain(long).collect()
    }

    fn mount_spec(&self, host: &HostConfig, mount: &MountPoint) -> Result<MountSpec, DaemonError> {
        let options = (mount.kind == "volume")
            .then(|| self.volume_source(&mount.name))
            .flatten();
        let source = match options {
            Some(Mounted::Bind(path)) => MountSource::Machine(path),
            Some(Mounted::Tmpfs(options)) => MountSource::Tmpfs(options),
            None if mount.kind == "bind" => MountSource::Machine(PathBuf::from(&mount.source)),
            None => self.in_volume(mount),
        };
        let manner = if mount.kind == "bind" {
            self.manner(host, mount)?
        } else {
            Manner::default()
        };
        Ok(MountSpec {
            target: mount.destination.clone(),
            source,
            access: access(!mount.rw),
            manner,
        })
    }

    /// A volume of the engine's own, or a folder in it.
    fn in_volume(&self, mount: &MountPoint) -> MountSource {
        let (source, root) = (PathBuf::from(&mount.source), self.volume_dir(&mount.name));
        match source.strip_prefix(&root) {
            Ok(path) if !path.as_os_str().is_empty() => MountSource::Inside {
                path: path.to_owned(),
                root,
            },
            _ => MountSource::Engine(source),
        }
    }

    /// The container's own limits, and the engine's for what it does not say.
    fn rlimits(&self, host: &HostConfig) -> Vec<Rlimit> {
        let own = host.ulimits.iter().flatten();
        let says = |name: &str| {
            host.ulimits
                .iter()
                .flatten()
                .any(|limit| limit.name == name)
        };
        let others = self.config.life.ulimits.values();
        own.chain(others.filter(|limit| !says(&limit.name)))
            .map(|limit| Rlimit {
                name: limit.name.clone(),
                soft: limit.soft,
                hard: limit.hard,
            })
            .collect()
    }

    /// A device that the machine does not have is told by its name.
    fn check_devices(&self, host: &HostConfig) -> Result<(), DaemonError> {
        let root = kernel::tree::Tree::open(&self.machine_root())?;
        for device in host.devices.iter().flatten() {
            let path = kernel::tree::clean(std::path::Path::new(&device.path_on_host));
            if let Err(error) = root.follow(&path)
                && error.source.kind() == std::io::ErrorKind::NotFound
            {
                return Err(DaemonError::Refused(format!(
                    "error gathering device information while adding custom device {:?}: no such file or directory",
                    device.path_on_host
                )));
            }
        }
        Ok(())
    }

    /// The control group of a container, below the root of each hierarchy.
    pub(crate) fn group_path(&self, record: &ContainerRecord) -> PathBuf {
        let parent = &record.host_config.cgroup_parent;
        crate::runtime::cgroups::path(&self.stage, parent, &record.id)
    }

    /// The log file of a container.
    pub(crate) fn log_path(&self, id: &str) -> PathBuf {
        self.container_dir(id).join(format!("{id}-json.log"))
    }
}

fn access(read_only: bool) -> Access {
    if read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    }
}

impl Daemon {
    /// The options of `--security-opt`, and the engine's own filter for who names none.
    pub(crate) fn security(&self, host: &HostConfig) -> Result<(SeccompSpec, bool), DaemonError> {
        security(host, &self.config.defaults.seccomp)
    }
}

/// The client puts the text of a profile in place of its path.
fn security(host: &HostConfig, usual: &SeccompSpec) -> Result<(SeccompSpec, bool), DaemonError> {
    let mut seccomp = if host.privileged {
        SeccompSpec::Unconfined
    } else {
        usual.clone()
    };
    let mut no_new_privileges = false;
    for option in host.security_opt.iter().flatten() {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, "true"));
        match (key, value) {
            ("no-new-privileges", "true") => no_new_privileges = true,
            ("no-new-privileges", "false") => no_new_privileges = false,
            ("seccomp", "unconfined") => seccomp = SeccompSpec::Unconfined,
            ("seccomp", "builtin") => seccomp = SeccompSpec::Usual,
            ("seccomp", profile) => {
                serde_json::from_str::<serde_json::Value>(profile).map_err(|error| {
                    DaemonError::Invalid(format!("decoding seccomp profile failed: {error}"))
                })?;
                seccomp = SeccompSpec::Profile(profile.to_owned());
            }
            // Labels are SELinux's; without it they mean nothing, as in Docker.
            ("apparmor" | "label", _) => {}
            _ => return Err(DaemonError::Unsupported(format!("--security-opt {option}"))),
        }
    }
    Ok((seccomp, no_new_privileges))
}

/// The profile that `--security-opt apparmor=` names; the last one counts.
pub(crate) fn apparmor(host: &HostConfig) -> AppArmorSpec {
    let mut named = host.security_opt.iter().flatten().filter_map(|option| {
        let (key, value) = option.split_once(['=', ':'])?;
        (key == "apparmor").then_some(value)
    });
    match named.next_back() {
        None | Some("") if host.privileged => AppArmorSpec::Unconfined,
        None | Some("") => AppArmorSpec::Usual,
        Some("unconfined") => AppArmorSpec::Unconfined,
        Some(name) => AppArmorSpec::Named(name.to_owned()),
    }
}

/// `[[gpu]]`, as Go prints lists.
fn capabilities_of(request: &serde_json::Value) -> String {
    let lists = request["Capabilities"].as_array().into_iter().flatten();
    let lists = lists.map(|list| {
        let words = list.as_array().into_iter().flatten();
        let words: Vec<_> = words.filter_map(serde_json::Value::as_str).collect();
        format!("[{}]", words.join(" "))
    });
    format!("[{}]", lists.collect::<Vec<_>>().join(" "))
}

fn capabilities(host: &HostConfig) -> CapabilitySpec {
    if host.privileged {
        return CapabilitySpec::All;
    }
    CapabilitySpec::Usual {
        add: host.cap_add.clone().unwrap_or_default(),
        drop: host.cap_drop.clone().unwrap_or_default(),
    }
}

fn devices(host: &HostConfig) -> Vec<DeviceSpec> {
    let devices = host.devices.iter().flatten();
    devices
        .map(|device| DeviceSpec {
            source: PathBuf::from(&device.path_on_host),
            target: if device.path_in_container.is_empty() {
                &device.path_on_host
            } else {
                &device.path_in_container
            }
            .clone(),
            permissions: if device.cgroup_permissions.is_empty() {
                "rwm".into()
            } else {
                device.cgroup_permissions.clone()
            },
        })
        .collect()
}

/// Docker's zeros mean "not set".
pub(crate) fn resources(host: &HostConfig) -> Resources {
    let set = |value: i64| (value != 0).then_some(value);
    let unsigned = |value: i64| u64::try_from(value).ok().filter(|value| *value != 0);
    let text = |value: &String| (!value.is_empty()).then(|| value.clone());
    let (quota, period) = match host.nano_cpus {
        0 => (set(host.cpu_quota), unsigned(host.cpu_period)),
        nano => (
            Some(nano * CPU_PERIOD / 1_000_000_000),
            unsigned(CPU_PERIOD),
        ),
    };
    Resources {
        memory: set(host.memory),
        // As Docker does: as much swap as memory, unless said otherwise.
        memory_swap: set(host.memory_swap)
            .or_else(|| set(host.memory).map(|memory| memory.saturating_mul(2))),
        memory_reservation: set(host.memory_reservation),
        memory_swappiness: host
            .memory_swappiness
            .and_then(|value| u64::try_from(value).ok()),
        oom_kill_disable: host.oom_kill_disable.filter(|disabled| *disabled),
        cpu_shares: unsigned(host.cpu_shares),
        cpu_quota: quota,
        cpu_period: period,
        cpuset_cpus: text(&host.cpuset_cpus),
        cpuset_mems: text(&host.cpuset_mems),
        pids_limit: host.pids_limit.filter(|limit| *limit != 0),
        blkio_weight: (host.blkio_weight != 0).then_some(host.blkio_weight),
        device_rules: host.device_cgroup_rules.clone().unwrap_or_default(),
        kernel_memory_tcp: set(host.kernel_memory_tcp),
        cpu_rt_period: unsigned(host.cpu_realtime_period),
        cpu_rt_runtime: set(host.cpu_realtime_runtime),
        ..Resources::default()
    }
}

/// Names and values that `docker inspect` shows for an overlay.
pub(crate) fn graph_data(plan: &OverlayPlan) -> BTreeMap<String, String> {
    let lowers: Vec<_> = plan
        .lowers
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let merged = plan.upper.with_file_name("merged");
    BTreeMap::from([
        ("LowerDir".to_owned(), lowers.join(":")),
        ("UpperDir".to_owned(), plan.upper.display().to_string()),
        ("WorkDir".to_owned(), plan.work.display().to_string()),
        ("MergedDir".to_owned(), merged.display().to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_become_a_quota() {
        let host = HostConfig {
            nano_cpus: 500_000_000,
            ..HostConfig::default()
        };
        let resources = resources(&host);
        assert_eq!(
            (resources.cpu_quota, resources.cpu_period),
            (Some(50_000), Some(100_000))
        );
    }
}

//! What the daemon wishes: everything about one container, resolved, before any decision.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::mounts::{Propagation, Reach};
use crate::logs::spec::LogSpec;

/// A wish for one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What `hostname` prints; empty keeps that of the UTS namespace.
    pub hostname: String,
    /// NIS domain name; empty keeps it.
    pub domainname: String,
    /// The root file system.
    pub root: Root,
    /// What runs.
    pub process: ProcessSpec,
    /// Run a small init as PID 1 (`--init`).
    pub init: InitProcess,
    /// Which namespaces are new, and which are someone else's.
    pub namespaces: Namespaces,
    /// Volumes, binds and tmpfs, in the order they are mounted; also `/etc/hosts`,
    /// `/etc/hostname` and `/etc/resolv.conf`, which the daemon writes.
    pub mounts: Vec<MountSpec>,
    /// Size of `/dev/shm` in bytes; 0 means 64 MiB.
    pub shm_size: u64,
    /// The group above that of the container (`--cgroup-parent`); empty means the usual one.
    #[serde(default)]
    pub cgroup_parent: String,
    /// Limits.
    pub resources: Resources,
    /// Devices of the machine made available (`--device`).
    pub devices: Vec<DeviceSpec>,
    /// Kernel parameters of the container's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Paths hidden; `None` means the usual ones (none when privileged).
    pub masked_paths: Option<Vec<String>>,
    /// Paths made read-only; `None` means the usual ones (none when privileged).
    pub readonly_paths: Option<Vec<String>>,
    /// Where the output goes.
    pub log: LogSpec,
}

/// The root file system: an overlay, or a plain directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Root {
    /// Lower directories, topmost first (paths of the engine). Without `upper` and `work`, one
    /// single directory here is bound as it is.
    pub lower: Vec<PathBuf>,
    /// Upper and work directories of the overlay, on the engine's disk.
    pub writable: Option<Writable>,
    /// `--read-only`.
    pub access: Access,
}

/// The writable layer of an overlay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Writable {
    /// Receives what the container writes.
    pub upper: PathBuf,
    /// Empty directory on the same file system.
    pub work: PathBuf,
    /// What becomes of it when the power ends.
    #[serde(default)]
    pub keeping: Keeping,
}

/// How long what a container writes is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeping {
    /// As files of this host are: what a program syncs is on the disk, and all of it is when the
    /// root is unmounted.
    #[default]
    AsFiles,
    /// No longer than the host runs: nobody waits for the disk. See "Volatile mount" in the
    /// kernel's Documentation/filesystems/overlayfs.rst.
    UntilReboot,
}

/// Whether something may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It may.
    #[default]
    ReadWrite,
    /// It may not.
    ReadOnly,
}

/// Whether PID 1 is the program or a small init that reaps for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitProcess {
    /// The program is PID 1.
    #[default]
    Program,
    /// A small init is PID 1, the program its child.
    Reaper,
}

/// A program and the rights it runs with: of a container, or of one `exec` in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// `NAME=value`. `PATH`, `HOME`, `HOSTNAME` and `TERM` are added where missing.
    pub env: Vec<String>,
    /// Working directory, created if missing; empty means `/`.
    pub cwd: String,
    /// `user`, `user:group`, ids or names, resolved in the container's own `/etc/passwd`.
    pub user: String,
    /// Supplementary groups, ids or names (`--group-add`).
    pub groups: Vec<String>,
    /// A terminal of this size, or none.
    pub terminal: Option<TerminalSize>,
    /// What standard input is.
    pub stdin: Stdin,
    /// Capabilities.
    pub capabilities: CapabilitySpec,
    /// System call filter.
    pub seccomp: SeccompSpec,
    /// Confinement by AppArmor.
    #[serde(default)]
    pub apparmor: AppArmorSpec,
    /// Forbid gaining privileges by executing a file.
    pub no_new_privileges: bool,
    /// Resource limits of the process: (name such as `nofile`, soft, hard).
    pub rlimits: Vec<Rlimit>,
    /// Adjustment of the OOM killer's score, where the stage allows it.
    pub oom_score_adj: Option<i32>,
}

/// One `--ulimit`; `-1` means unlimited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rlimit {
    /// `nofile`, `core`, …
    pub name: String,
    /// Soft limit.
    pub soft: i64,
    /// Hard limit.
    pub hard: i64,
}

/// The size of a terminal in character cells; zeros mean unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Width.
    pub cols: u16,
    /// Height.
    pub rows: u16,
}

/// What standard input is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdin {
    /// `/dev/null`.
    #[default]
    Null,
    /// A pipe closed when the first client that attached to it goes (`StdinOnce`).
    Once,
    /// A pipe that stays open when clients come and go.
    Open,
}

/// Which capabilities a process has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapabilitySpec {
    /// The usual fourteen, plus and minus; `ALL` is understood, the `CAP_` prefix optional.
    Usual {
        /// `--cap-add`.
        add: Vec<String>,
        /// `--cap-drop`.
        drop: Vec<String>,
    },
    /// All that the stage has (`--privileged`).
    All,
}

impl Default for CapabilitySpec {
    fn default() -> Self {
        Self::Usual {
            add: Vec::new(),
            drop: Vec::new(),
        }
    }
}

/// Which system calls are filtered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeccompSpec {
    /// Our allow-list, widened by the capabilities the process has.
    #[default]
    Usual,
    /// A profile in Docker's JSON format.
    Profile(String),
    /// No filter.
    Unconfined,
}

/// Which AppArmor profile confines a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppArmorSpec {
    /// Ours, where the kernel confines by AppArmor and the process is not privileged.
    #[default]
    Usual,
    /// One that somebody has loaded.
    Named(String),
    /// None.
    Unconfined,
}

/// Which namespaces a container has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Namespaces {
    /// `--pid`.
    pub pid: Sharing,
    /// `--ipc`.
    pub ipc: Sharing,
    /// `--uts`.
    pub uts: Sharing,
    /// `--network`; a bridge and `none` are both `New`.
    pub net: Sharing,
    /// `--cgroupns`.
    pub cgroup: Sharing,
}

/// Whose namespace is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// A new one.
    #[default]
    New,
    /// The stage's: the learner's machine, or the plain host.
    Host,
    /// That of a running container, named by its `engine_pid`.
    Of(u32),
}

/// Something mounted in the container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MountSpec {
    /// Absolute path in the container, resolved inside its root.
    pub target: String,
    /// What is mounted there.
    pub source: MountSource,
    /// Whether it may be written.
    pub access: Access,
    /// What a bind of the machine has to do with the mounts of its source.
    #[serde(default)]
    pub manner: Manner,
}

/// What a bind has to do with the mounts at and below its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manner {
    /// How mounts that are made later travel; `None` is not at all.
    pub propagation: Option<Propagation>,
    /// Whether the mounts below the source come along.
    pub reach: Reach,
    /// How far a read-only bind is read-only.
    pub read_only: Reach,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountSource {
    /// A file or directory of the engine (a named volume, `hosts`), seen in the engine's stage.
    Engine(PathBuf),
    /// A file or directory below one of the engine's (part of a volume). Containers write there: no link on the way is
    /// followed.
    Inside {
        /// The engine's, which is trusted.
        root: PathBuf,
        /// The way from there.
        path: PathBuf,
    },
    /// A file or directory of the machine (`-v /home:/x`), seen in the stage of the container.
    Machine(PathBuf),
    /// An empty tmpfs; options as in `--tmpfs`: `size=64m,mode=1777,noexec`.
    Tmpfs(String),
}

/// A device made available.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceSpec {
    /// Path in the machine.
    pub source: PathBuf,
    /// Path in the container.
    pub target: String,
    /// Some of `rwm`.
    pub permissions: String,
}

/// Limits; `None` leaves the parent's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Bytes.
    pub memory: Option<i64>,
    /// Memory and swap together, bytes; -1 unlimited.
    pub memory_swap: Option<i64>,
    /// Soft limit, bytes.
    pub memory_reservation: Option<i64>,
    /// 0 to 100, v1 only.
    pub memory_swappiness: Option<u64>,
    /// v1 only: processes wait instead of being killed.
    pub oom_kill_disable: Option<bool>,
    /// Relative weight, v1 scale (1024 is the usual).
    pub cpu_shares: Option<u64>,
    /// Microseconds per period; -1 unlimited.
    pub cpu_quota: Option<i64>,
    /// Microseconds.
    pub cpu_period: Option<u64>,
    /// Such as `0-1,3`.
    pub cpuset_cpus: Option<String>,
    /// Such as `0`.
    pub cpuset_mems: Option<String>,
    /// Most processes; -1 unlimited.
    pub pids_limit: Option<i64>,
    /// 10 to 1000.
    pub blkio_weight: Option<u16>,
    /// Microseconds that may be saved up and spent above the quota.
    pub cpu_burst: Option<u64>,
    /// 1: only when nobody else wants the processor.
    pub cpu_idle: Option<i64>,
    /// Microseconds of real-time run time per real-time period, v1 only.
    pub cpu_rt_runtime: Option<i64>,
    /// Microseconds, v1 only.
    pub cpu_rt_period: Option<u64>,
    /// Bytes of TCP buffers, v1 only.
    pub kernel_memory_tcp: Option<i64>,
    /// What only some hosts can limit.
    pub rare: RareResources,
    /// Extra rules of the device controller, such as `c 10:200 rwm`.
    pub device_rules: Vec<String>,
}

/// Limits of devices, large pages, and whatever else a kernel offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RareResources {
    /// Weights of block devices.
    pub blkio_weight_device: Vec<DeviceNumber>,
    /// Bytes per second read from a device.
    pub blkio_read_bps: Vec<DeviceNumber>,
    /// Bytes per second written to a device.
    pub blkio_write_bps: Vec<DeviceNumber>,
    /// Reads per second from a device.
    pub blkio_read_iops: Vec<DeviceNumber>,
    /// Writes per second to a device.
    pub blkio_write_iops: Vec<DeviceNumber>,
    /// Bytes of large pages by their size, such as `2MB`.
    pub huge_pages: Vec<(String, u64)>,
    /// RDMA: device, handles, objects.
    pub rdma: Vec<(String, Option<u32>, Option<u32>)>,
    /// The class of the network packets of the group, v1 only.
    pub network_class: Option<u32>,
    /// Priorities of the group's packets by interface, v1 only.
    pub network_priorities: Vec<(String, u32)>,
    /// Files of version 2 and what is written to them, after all else.
    pub unified: BTreeMap<String, String>,
}

/// A number about one block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNumber {
    /// The device.
    pub major: u32,
    /// The device.
    pub minor: u32,
    /// A rate or a weight.
    pub number: u64,
}

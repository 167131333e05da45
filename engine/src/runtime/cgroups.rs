//! The control group of a container: its place, its limits, its counters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kernel::cgroup::{Cgroup, Layout, Version};
use kernel::error::SysError;
use serde::{Deserialize, Serialize};

use super::limits::limits;
use super::request::Resources;
use crate::stage::Stage;

/// The group of a container, the same path in every hierarchy; an empty `parent` is the usual one (`--cgroup-parent`).
///
/// A parent never leads out of the stage: `..` is taken away before.
pub fn path(stage: &Stage, parent: &str, id: &str) -> PathBuf {
    let parent = match parent {
        "" => PathBuf::from("docker"),
        parent => kernel::tree::clean(Path::new(parent)),
    };
    match stage {
        Stage::Host => parent.join(id),
        Stage::Inner { .. } => Path::new("inner").join(parent).join(id),
    }
}

/// The group at a [`path`].
pub fn of(path: &Path) -> Result<Cgroup, SysError> {
    Ok(Cgroup::new(&layout()?, path))
}

/// The hierarchies a container is placed in: every one that this process sees.
pub(crate) fn layout() -> Result<Layout, SysError> {
    Layout::detect()
}

/// Sets limits of a running container (`docker update`).
pub fn update(path: &Path, resources: &Resources) -> Result<(), SysError> {
    let group = of(path)?;
    for limit in limits(resources, None) {
        group.limit(&[limit])?;
    }
    Ok(())
}

/// Stops every process of a container (`docker pause`).
pub fn freeze(path: &Path) -> Result<(), SysError> {
    of(path)?.freeze()
}

/// Lets every process of a container go on.
pub fn thaw(path: &Path) -> Result<(), SysError> {
    of(path)?.thaw()
}

/// Whether the processes of a container are stopped.
pub fn is_frozen(path: &Path) -> bool {
    of(path).is_ok_and(|group| group.is_frozen())
}

/// The processes of a container, as the engine's `/proc` numbers them.
pub fn processes(path: &Path) -> Result<Vec<i32>, SysError> {
    Ok(of(path)?.processes())
}

/// What a container has used until now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes of memory, without the page cache that can be given back at once.
    pub memory: u64,
    /// Bytes of memory, page cache included.
    pub memory_total: u64,
    /// The most bytes there ever were, where the kernel keeps it.
    pub memory_most: Option<u64>,
    /// The limit in bytes, if there is one.
    pub memory_limit: Option<u64>,
    /// Lines of `memory.stat`.
    pub memory_stat: BTreeMap<String, u64>,
    /// Nanoseconds of processor time.
    pub cpu: u64,
    /// Of these, in the kernel.
    pub cpu_system: u64,
    /// Of these, in programs.
    pub cpu_user: u64,
    /// Nanoseconds of each processor; version 1.
    pub cpu_each: Vec<u64>,
    /// Periods, of them held up, and nanoseconds held up.
    pub throttling: [u64; 3],
    /// Processes and threads.
    pub pids: u64,
    /// The most of them allowed.
    pub pids_limit: Option<u64>,
    /// Bytes read from and written to block devices.
    pub block: (u64, u64),
    /// How often the kernel killed for want of memory.
    pub oom_kills: u64,
}

/// Reads what a container has used; a counter that the host lacks is zero.
pub fn usage(path: &Path) -> Result<Usage, SysError> {
    Ok(usage_of(&of(path)?))
}

/// The same of any group.
pub(crate) fn usage_of(group: &Cgroup) -> Usage {
    let memory_version = group.version("memory");
    let number = |controller: &str, file: &str| {
        let text = group.read(controller, file).ok()?;
        text.trim().parse::<u64>().ok()
    };
    // Version 1 writes "no limit" as a number near 2^63.
    let limit = |n: Option<u64>| n.filter(|&n| n < 1 << 60);
    let memory_stat = table(&group.read("memory", "memory.stat").unwrap_or_default());
    let of_stat = |key: &str| memory_stat.get(key).copied().unwrap_or(0);
    let (total, memory_limit, inactive) = match memory_version {
        Some(Version::V1) => (
            number("memory", "memory.usage_in_bytes"),
            number("memory", "memory.limit_in_bytes"),
            of_stat("total_inactive_file"),
        ),
        _ => (
            number("memory", "memory.current"),
            number("memory", "memory.max"),
            of_stat("inactive_file"),
        ),
    };
    let memory_total = total.unwrap_or(0);
    let (cpu, cpu_user, cpu_system) = processor(group);
    Usage {
        memory: memory_total.saturating_sub(inactive),
        memory_total,
        memory_most: match memory_version {
            Some(Version::V1) => number("memory", "memory.max_usage_in_bytes"),
            _ => number("memory", "memory.peak"),
        },
        memory_limit: limit(memory_limit),
        cpu_each: cpu_each(group),
        throttling: throttling(group),
        cpu,
        cpu_system,
        cpu_user,
        pids: number("pids", "pids.current").unwrap_or(0),
        pids_limit: limit(number("pids", "pids.max")),
        block: block(group),
        oom_kills: oom_kills(group),
        memory_stat,
    }
}

/// How often the kernel has killed in this group for want of memory.
pub(crate) fn oom_kills(group: &Cgroup) -> u64 {
    let file = match group.version("memory") {
        Some(Version::V1) => "memory.oom_control",
        _ => "memory.events",
    };
    let text = group.read("memory", file).unwrap_or_default();
    table(&text).get("oom_kill").copied().unwrap_or(0)
}

/// Nanoseconds in all, in programs, in the kernel.
fn processor(group: &Cgroup) -> (u64, u64, u64) {
    if group.version("cpuacct") == Some(Version::V1) {
        let number = |file: &str| {
            let text = group.read("cpuacct", file).unwrap_or_default();
            text.trim().parse().unwrap_or(0)
        };
        return (
            number("cpuacct.usage"),
            number("cpuacct.usage_user"),
            number("cpuacct.usage_sys"),
        );
    }
    let stat = table(&group.read("cpu", "cpu.stat").unwrap_or_default());
    let nanos = |key: &str| stat.get(key).copied().unwrap_or(0) * 1000;
    (
        nanos("usage_usec"),
        nanos("user_usec"),
        nanos("system_usec"),
    )
}

fn cpu_each(group: &Cgroup) -> Vec<u64> {
    if group.version("cpuacct") != Some(Version::V1) {
        return Vec::new();
    }
    let text = group
        .read("cpuacct", "cpuacct.usage_percpu")
        .unwrap_or_default();
    text.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn throttling(group: &Cgroup) -> [u64; 3] {
    let stat = table(&group.read("cpu", "cpu.stat").unwrap_or_default());
    let number = |key: &str| stat.get(key).copied().unwrap_or(0);
    let time = match group.version("cpu") {
        Some(Version::V1) => number("throttled_time"),
        _ => number("throttled_usec") * 1000,
    };
    [number("nr_periods"), number("nr_throttled"), time]
}

fn block(group: &Cgroup) -> (u64, u64) {
    let v1 = group
        .read("blkio", "blkio.throttle.io_service_bytes")
        .unwrap_or_default();
    let v2 = group.read("io", "io.stat").unwrap_or_default();
    let mut sums = (0, 0);
    for line in v1.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            [_, "Read", n] => sums.0 += n.parse().unwrap_or(0),
            [_, "Write", n] => sums.1 += n.parse().unwrap_or(0),
            _ => {}
        }
    }
    for word in v2.split_whitespace() {
        match word.split_once('=') {
            Some(("rbytes", n)) => sums.0 += n.parse().unwrap_or(0),
            Some(("wbytes", n)) => sums.1 += n.parse().unwrap_or(0),
            _ => {}
        }
    }
    sums
}

fn table(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_stays_in_its_stage() {
        let inner = Stage::Inner { pid: 2 };
        assert_eq!(path(&Stage::Host, "", "c"), Path::new("docker/c"));
        assert_eq!(path(&Stage::Host, "/lab/a", "c"), Path::new("lab/a/c"));
        assert_eq!(path(&inner, "lab", "c"), Path::new("inner/lab/c"));
        assert_eq!(path(&inner, "/../../x", "c"), Path::new("inner/x/c"));
    }
}

//! The files of a group that a limit is written to, and what is written.

use std::borrow::Cow;

use super::Version;
use super::limit::{Limit, Rate};

/// One file and what is written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The file in the group's directory.
    pub file: Cow<'static, str>,
    /// What is written.
    pub value: String,
    /// Whether a kernel without this file (no swap accounting) is no error.
    pub optional: bool,
    /// What is written where this kernel has no such file.
    pub otherwise: Option<(&'static str, String)>,
}

impl Limit {
    /// The writes that set it, in order; none where this version has no such limit.
    pub fn settings(&self, version: Version) -> Vec<Setting> {
        match version {
            Version::V1 => self.settings_v1(),
            Version::V2 => self.settings_v2(),
        }
    }

    fn settings_v1(&self) -> Vec<Setting> {
        match self {
            Self::Memory(memory) => Self::with_no_swap(*memory).settings_v1(),
            Self::MemoryAndSwap { memory, swap } => vec![
                set("memory.limit_in_bytes", memory),
                // Memory and swap are counted together.
                set(
                    "memory.memsw.limit_in_bytes",
                    swap.map_or("-1".into(), |swap| (memory + swap).to_string()),
                )
                .optional(),
            ],
            Self::MemoryUnlimited => vec![
                set("memory.memsw.limit_in_bytes", -1).optional(),
                set("memory.limit_in_bytes", -1),
            ],
            Self::MemoryReservation(n) => vec![set("memory.soft_limit_in_bytes", n)],
            Self::MemorySwappiness(n) => vec![set("memory.swappiness", n)],
            Self::OomKillDisable => vec![set("memory.oom_control", 1)],
            Self::TcpMemory(n) => vec![set("memory.kmem.tcp.limit_in_bytes", n)],
            Self::Pids(_) | Self::PidsUpTo(_) => self.pids(),
            Self::Cpu { quota, period } => vec![
                set("cpu.cfs_period_us", period),
                set("cpu.cfs_quota_us", quota),
            ],
            Self::CpuUnlimited { period } => vec![
                set("cpu.cfs_quota_us", -1),
                set("cpu.cfs_period_us", period),
            ],
            Self::CpuBurst(n) => vec![set("cpu.cfs_burst_us", n)],
            Self::CpuIdle(n) => vec![set("cpu.idle", n)],
            Self::CpuRealTime { runtime, period } => {
                let period = period.map(|n| set("cpu.rt_period_us", n));
                let runtime = runtime.map(|n| set("cpu.rt_runtime_us", n));
                period.into_iter().chain(runtime).collect()
            }
            Self::CpuShares(n) => vec![set("cpu.shares", n)],
            Self::CpusetCpus(_) | Self::CpusetMems(_) => self.cpuset(),
            Self::BlockWeight(n) => {
                let old = ("blkio.weight", n.to_string());
                vec![set("blkio.bfq.weight", n).or(old)]
            }
            Self::BlockWeightDevice(device, n) => {
                let line = format!("{device} {n}");
                let old = ("blkio.weight_device", line.clone());
                vec![set("blkio.bfq.weight_device", line).or(old)]
            }
            Self::BlockRate(rate, device, n) => {
                let file = match rate {
                    Rate::ReadBytes => "blkio.throttle.read_bps_device",
                    Rate::WriteBytes => "blkio.throttle.write_bps_device",
                    Rate::Reads => "blkio.throttle.read_iops_device",
                    Rate::Writes => "blkio.throttle.write_iops_device",
                };
                vec![set(file, format!("{device} {n}"))]
            }
            Self::HugePages(size, n) => vec![
                set(format!("hugetlb.{size}.limit_in_bytes"), n),
                set(format!("hugetlb.{size}.rsvd.limit_in_bytes"), n).optional(),
            ],
            Self::Rdma(..) => self.rdma(),
            Self::NetworkClass(n) => vec![set("net_cls.classid", n)],
            Self::NetworkPriority(name, n) => {
                vec![set("net_prio.ifpriomap", format!("{name} {n}"))]
            }
            Self::Unified(..) => Vec::new(),
            Self::Devices(rules) => std::iter::once(set("devices.deny", "a"))
                .chain(rules.iter().map(|rule| set("devices.allow", &rule.0)))
                .collect(),
        }
    }

    fn settings_v2(&self) -> Vec<Setting> {
        match self {
            Self::Memory(memory) => Self::with_no_swap(*memory).settings_v2(),
            Self::MemoryAndSwap { memory, swap } => vec![
                set("memory.max", memory),
                set(
                    "memory.swap.max",
                    swap.map_or("max".into(), |swap| swap.to_string()),
                )
                .optional(),
            ],
            Self::MemoryUnlimited => vec![
                set("memory.swap.max", "max").optional(),
                set("memory.max", "max"),
            ],
            Self::MemoryReservation(n) => vec![set("memory.low", n)],
            Self::Pids(_) | Self::PidsUpTo(_) => self.pids(),
            Self::Cpu { quota, period } => vec![set("cpu.max", format!("{quota} {period}"))],
            Self::CpuUnlimited { period } => vec![set("cpu.max", format!("max {period}"))],
            Self::CpuBurst(n) => vec![set("cpu.max.burst", n)],
            Self::CpuIdle(n) => vec![set("cpu.idle", n)],
            Self::CpuShares(n) => vec![set("cpu.weight", cpu_weight(*n))],
            Self::CpusetCpus(_) | Self::CpusetMems(_) => self.cpuset(),
            Self::BlockWeight(n) => {
                let usual = ("io.weight", format!("default {}", io_weight(*n)));
                vec![set("io.bfq.weight", n).or(usual)]
            }
            Self::BlockWeightDevice(device, n) => {
                let usual = ("io.weight", format!("{device} {}", io_weight(*n)));
                vec![set("io.bfq.weight", format!("{device} {n}")).or(usual)]
            }
            Self::BlockRate(rate, device, n) => {
                let key = match rate {
                    Rate::ReadBytes => "rbps",
                    Rate::WriteBytes => "wbps",
                    Rate::Reads => "riops",
                    Rate::Writes => "wiops",
                };
                vec![set("io.max", format!("{device} {key}={n}"))]
            }
            Self::HugePages(size, n) => vec![
                set(format!("hugetlb.{size}.max"), n),
                set(format!("hugetlb.{size}.rsvd.max"), n).optional(),
            ],
            Self::Rdma(..) => self.rdma(),
            Self::Unified(file, value) => vec![set(file.clone(), value)],
            // Gone with version 1. Devices are a program and not a file: see `devices`.
            Self::MemorySwappiness(_)
            | Self::OomKillDisable
            | Self::TcpMemory(_)
            | Self::CpuRealTime { .. }
            | Self::NetworkClass(_)
            | Self::NetworkPriority(..)
            | Self::Devices(_) => Vec::new(),
        }
    }

    fn with_no_swap(memory: u64) -> Self {
        Self::MemoryAndSwap {
            memory,
            swap: Some(0),
        }
    }

    fn pids(&self) -> Vec<Setting> {
        match self {
            Self::Pids(n) | Self::PidsUpTo(Some(n)) => vec![set("pids.max", n)],
            _ => vec![set("pids.max", "max")],
        }
    }

    fn cpuset(&self) -> Vec<Setting> {
        match self {
            Self::CpusetCpus(list) => vec![set("cpuset.cpus", list)],
            Self::CpusetMems(list) => vec![set("cpuset.mems", list)],
            _ => Vec::new(),
        }
    }

    fn rdma(&self) -> Vec<Setting> {
        let Self::Rdma(device, handles, objects) = self else {
            return Vec::new();
        };
        let number = |n: &Option<u32>| n.map_or("max".to_owned(), |n| n.to_string());
        let (handles, objects) = (number(handles), number(objects));
        vec![set(
            "rdma.max",
            format!("{device} hca_handle={handles} hca_object={objects}"),
        )]
    }
}

fn set(file: impl Into<Cow<'static, str>>, value: impl ToString) -> Setting {
    Setting {
        file: file.into(),
        value: value.to_string(),
        optional: false,
        otherwise: None,
    }
}

impl Setting {
    fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    fn or(mut self, otherwise: (&'static str, String)) -> Self {
        self.otherwise = Some(otherwise);
        self
    }
}

/// Version 2 counts 1 to 10000 where version 1 counts 2 to 262144.
fn cpu_weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

/// Version 2 counts 1 to 10000 where version 1 counts 10 to 1000.
fn io_weight(weight: u16) -> u64 {
    1 + (u64::from(weight.clamp(10, 1000)) - 10) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limit: &Limit, version: Version, expected: &[(&str, &str)]) {
        let settings = limit.settings(version);
        let found: Vec<_> = settings
            .iter()
            .map(|s| (s.file.as_ref(), s.value.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn memory_leaves_no_swap() {
        let limit = Limit::Memory(1024);
        let v1 = [
            ("memory.limit_in_bytes", "1024"),
            ("memory.memsw.limit_in_bytes", "1024"),
        ];
        check(&limit, Version::V1, &v1);
        let v2 = [("memory.max", "1024"), ("memory.swap.max", "0")];
        check(&limit, Version::V2, &v2);
    }

    #[test]
    fn a_processor_quota_is_one_file_in_version_2() {
        let limit = Limit::Cpu {
            quota: 50_000,
            period: 100_000,
        };
        check(&limit, Version::V2, &[("cpu.max", "50000 100000")]);
    }

    #[test]
    fn shares_become_a_weight() {
        assert_eq!(
            (cpu_weight(2), cpu_weight(1024), cpu_weight(262_144)),
            (1, 39, 10_000)
        );
        assert_eq!((io_weight(10), io_weight(1000)), (1, 10_000));
    }

    #[test]
    fn what_a_version_lacks_is_no_file() {
        check(&Limit::MemorySwappiness(10), Version::V2, &[]);
        check(
            &Limit::Unified("memory.high".into(), "1".into()),
            Version::V1,
            &[],
        );
    }

    #[test]
    fn rates_are_lines_about_a_device() {
        let limit = Limit::BlockRate(Rate::ReadBytes, "8:0".into(), 1024);
        let v1 = [("blkio.throttle.read_bps_device", "8:0 1024")];
        check(&limit, Version::V1, &v1);
        check(&limit, Version::V2, &[("io.max", "8:0 rbps=1024")]);
    }
}

//! Limits and the files they are written to: pure, so that a plan can be shown.

use super::{DeviceRule, Version};

/// What a group may use at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of memory, with no swap besides.
    Memory(u64),
    /// Bytes of memory, and bytes of swap beside them (`None`: as much as there is).
    MemoryAndSwap {
        /// Bytes of memory.
        memory: u64,
        /// Bytes of swap.
        swap: Option<u64>,
    },
    /// Bytes below which memory is taken from others first.
    MemoryReservation(u64),
    /// Processes and threads.
    Pids(u64),
    /// Microseconds of processor time in each period.
    Cpu {
        /// Microseconds of processor time.
        quota: u64,
        /// Length of the period in microseconds.
        period: u64,
    },
    /// Share of the processors among busy groups, 2 to 262144 as version 1 counts (1024 is usual).
    CpuShares(u64),
    /// Processors, such as `0-2,4`.
    CpusetCpus(String),
    /// Memory nodes.
    CpusetMems(String),
    /// Devices that may be used; all others may not.
    Devices(Vec<DeviceRule>),
}

/// One file and what is written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The file in the group's directory.
    pub file: &'static str,
    /// What is written.
    pub value: String,
    /// Whether a kernel without this file (no swap accounting) is no error.
    pub optional: bool,
}

impl Limit {
    /// The controller that enforces it.
    pub fn controller(&self) -> &'static str {
        match self {
            Self::Memory(_) | Self::MemoryAndSwap { .. } | Self::MemoryReservation(_) => "memory",
            Self::Pids(_) => "pids",
            Self::Cpu { .. } | Self::CpuShares(_) => "cpu",
            Self::CpusetCpus(_) | Self::CpusetMems(_) => "cpuset",
            Self::Devices(_) => "devices",
        }
    }

    /// The writes that set it, in order.
    pub fn settings(&self, version: Version) -> Vec<Setting> {
        match (self, version) {
            (Self::Memory(memory), _) => Self::MemoryAndSwap {
                memory: *memory,
                swap: Some(0),
            }
            .settings(version),
            (Self::MemoryAndSwap { memory, swap }, Version::V1) => vec![
                set("memory.limit_in_bytes", memory),
                Setting {
                    // Version 1 counts memory and swap together.
                    value: swap.map_or("-1".into(), |swap| (memory + swap).to_string()),
                    file: "memory.memsw.limit_in_bytes",
                    optional: true,
                },
            ],
            (Self::MemoryAndSwap { memory, swap }, Version::V2) => vec![
                set("memory.max", memory),
                Setting {
                    value: swap.map_or("max".into(), |swap| swap.to_string()),
                    file: "memory.swap.max",
                    optional: true,
                },
            ],
            (Self::MemoryReservation(n), Version::V1) => {
                vec![set("memory.soft_limit_in_bytes", n)]
            }
            (Self::MemoryReservation(n), Version::V2) => vec![set("memory.low", n)],
            (Self::Pids(n), _) => vec![set("pids.max", n)],
            (Self::Cpu { quota, period }, Version::V1) => vec![
                set("cpu.cfs_period_us", period),
                set("cpu.cfs_quota_us", quota),
            ],
            (Self::Cpu { quota, period }, Version::V2) => {
                vec![set("cpu.max", format!("{quota} {period}"))]
            }
            (Self::CpuShares(n), Version::V1) => vec![set("cpu.shares", n)],
            (Self::CpuShares(n), Version::V2) => vec![set("cpu.weight", weight(*n))],
            (Self::CpusetCpus(list), _) => vec![set("cpuset.cpus", list)],
            (Self::CpusetMems(list), _) => vec![set("cpuset.mems", list)],
            // A program and not a file: see `devices`.
            (Self::Devices(_), Version::V2) => Vec::new(),
            (Self::Devices(rules), Version::V1) => std::iter::once(set("devices.deny", "a"))
                .chain(rules.iter().map(|rule| set("devices.allow", &rule.0)))
                .collect(),
        }
    }
}

fn set(file: &'static str, value: impl ToString) -> Setting {
    Setting {
        file,
        value: value.to_string(),
        optional: false,
    }
}

/// Version 2 counts 1 to 10000 where version 1 counts 2 to 262144.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limit: &Limit, version: Version, expected: &[(&str, &str)]) {
        let settings = limit.settings(version);
        let found: Vec<_> = settings
            .iter()
            .map(|s| (s.file, s.value.as_str()))
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
        assert_eq!((weight(2), weight(1024), weight(262_144)), (1, 39, 10_000));
    }
}

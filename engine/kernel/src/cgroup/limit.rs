//! Limits, and which controller enforces each: pure, so that a plan can be shown.

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
    /// As much memory and swap as there is.
    MemoryUnlimited,
    /// Bytes below which memory is taken from others first.
    MemoryReservation(u64),
    /// How readily anonymous memory is swapped, 0 to 100. Version 1 only.
    MemorySwappiness(u64),
    /// Processes that need more memory than they may have wait, and are not killed. Version 1 only.
    OomKillDisable,
    /// Bytes of TCP buffers. Version 1 only.
    TcpMemory(u64),
    /// Processes and threads; `None` as many as there may be.
    PidsUpTo(Option<u64>),
    /// Processes and threads.
    Pids(u64),
    /// Microseconds of processor time in each period.
    Cpu {
        /// Microseconds of processor time.
        quota: u64,
        /// Length of the period in microseconds.
        period: u64,
    },
    /// No quota; the period is kept for one that may come.
    CpuUnlimited {
        /// Length of the period in microseconds.
        period: u64,
    },
    /// Microseconds that may be saved up and spent above the quota.
    CpuBurst(u64),
    /// Whether the group runs only when no other wants the processor: 1 or 0.
    CpuIdle(i64),
    /// Microseconds of real-time run time in each real-time period. Version 1 only.
    CpuRealTime {
        /// Microseconds of run time.
        runtime: Option<i64>,
        /// Length of the period in microseconds.
        period: Option<u64>,
    },
    /// Share of the processors among busy groups, 2 to 262144 as version 1 counts (1024 is usual).
    CpuShares(u64),
    /// Processors, such as `0-2,4`.
    CpusetCpus(String),
    /// Memory nodes.
    CpusetMems(String),
    /// Weight among the groups that use a disk, 10 to 1000.
    BlockWeight(u16),
    /// The same for one device, as `major:minor`.
    BlockWeightDevice(String, u16),
    /// At most this much of one device, as `major:minor`, in each second.
    BlockRate(Rate, String, u64),
    /// Bytes of large pages of a size such as `2MB`.
    HugePages(String, u64),
    /// Handles and objects of an RDMA device.
    Rdma(String, Option<u32>, Option<u32>),
    /// The class of the group's network packets. Version 1 only.
    NetworkClass(u32),
    /// The priority of the group's packets on an interface. Version 1 only.
    NetworkPriority(String, u32),
    /// A file of version 2 and what is written to it.
    Unified(String, String),
    /// Devices that may be used; all others may not.
    Devices(Vec<DeviceRule>),
}

/// What of a block device is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Bytes read.
    ReadBytes,
    /// Bytes written.
    WriteBytes,
    /// Reads.
    Reads,
    /// Writes.
    Writes,
}

impl Limit {
    /// The controller that enforces it under this version; version 2 has other names for some.
    pub fn controller(&self, version: Version) -> &str {
        match (self, version) {
            (
                Self::Memory(_)
                | Self::MemoryAndSwap { .. }
                | Self::MemoryUnlimited
                | Self::MemoryReservation(_)
                | Self::MemorySwappiness(_)
                | Self::OomKillDisable
                | Self::TcpMemory(_),
                _,
            ) => "memory",
            (Self::Pids(_) | Self::PidsUpTo(_), _) => "pids",
            (
                Self::Cpu { .. }
                | Self::CpuUnlimited { .. }
                | Self::CpuBurst(_)
                | Self::CpuIdle(_)
                | Self::CpuRealTime { .. }
                | Self::CpuShares(_),
                _,
            ) => "cpu",
            (Self::CpusetCpus(_) | Self::CpusetMems(_), _) => "cpuset",
            (
                Self::BlockWeight(_) | Self::BlockWeightDevice(..) | Self::BlockRate(..),
                Version::V1,
            ) => "blkio",
            (
                Self::BlockWeight(_) | Self::BlockWeightDevice(..) | Self::BlockRate(..),
                Version::V2,
            ) => "io",
            (Self::HugePages(..), _) => "hugetlb",
            (Self::Rdma(..), _) => "rdma",
            (Self::NetworkClass(_), _) => "net_cls",
            (Self::NetworkPriority(..), _) => "net_prio",
            (Self::Unified(file, _), _) => file.split('.').next().unwrap_or_default(),
            (Self::Devices(_), _) => "devices",
        }
    }
}

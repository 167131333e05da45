//! What the control groups of this host can hold: the base of warnings, of refusals and of `info`.

use std::collections::BTreeSet;
use std::path::Path;

use kernel::cgroup::{Layout, Version};

/// A kind of limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Offer {
    /// Bytes of memory.
    Memory,
    /// Bytes of memory and swap.
    Swap,
    /// Bytes from which memory is taken first.
    MemoryReservation,
    /// How eagerly pages are swapped; version 1.
    Swappiness,
    /// Processes that wait instead of being killed; version 1.
    OomKillDisable,
    /// Bytes of the kernel's own memory; version 1 of old kernels.
    KernelMemory,
    /// Bytes of TCP buffers; version 1.
    KernelMemoryTcp,
    /// A share of the processors.
    CpuShares,
    /// Processor time in a period.
    CpuCfs,
    /// Real-time processor time; version 1.
    CpuRealtime,
    /// Chosen processors and memory nodes.
    Cpuset,
    /// Processes and threads.
    Pids,
    /// A share of the disks.
    BlkioWeight,
    /// A share of one disk.
    BlkioWeightDevice,
    /// Bytes and operations of one disk in a second.
    BlkioThrottle,
}

/// What this host offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SysInfo {
    offers: BTreeSet<Offer>,
    /// Whether there is one tree for all controllers and nothing else.
    pub(crate) unified: bool,
    /// Whether there is no tree at all that this engine may use.
    pub(crate) absent: bool,
    /// The processors a container may be given, such as `0-3`.
    pub(crate) cpus: String,
    /// The memory nodes.
    pub(crate) mems: String,
}

/// In version 1 a limit is there when its file is there.
const FILES: [(Offer, &str, &str); 14] = [
    (Offer::Memory, "memory", "memory.limit_in_bytes"),
    (Offer::Swap, "memory", "memory.memsw.limit_in_bytes"),
    (
        Offer::MemoryReservation,
        "memory",
        "memory.soft_limit_in_bytes",
    ),
    (Offer::Swappiness, "memory", "memory.swappiness"),
    (Offer::OomKillDisable, "memory", "memory.oom_control"),
    (Offer::KernelMemory, "memory", "memory.kmem.limit_in_bytes"),
    (
        Offer::KernelMemoryTcp,
        "memory",
        "memory.kmem.tcp.limit_in_bytes",
    ),
    (Offer::CpuShares, "cpu", "cpu.shares"),
    (Offer::CpuCfs, "cpu", "cpu.cfs_quota_us"),
    (Offer::CpuRealtime, "cpu", "cpu.rt_period_us"),
    (Offer::Cpuset, "cpuset", "cpuset.cpus"),
    (Offer::BlkioWeight, "blkio", "blkio.weight"),
    (Offer::BlkioWeightDevice, "blkio", "blkio.weight_device"),
    (
        Offer::BlkioThrottle,
        "blkio",
        "blkio.throttle.read_bps_device",
    ),
];

/// In version 2 a controller brings all its limits.
const CONTROLLERS: [(Offer, &str); 8] = [
    (Offer::Memory, "memory"),
    (Offer::MemoryReservation, "memory"),
    (Offer::CpuShares, "cpu"),
    (Offer::CpuCfs, "cpu"),
    (Offer::Cpuset, "cpuset"),
    (Offer::BlkioWeight, "io"),
    (Offer::BlkioWeightDevice, "io"),
    (Offer::BlkioThrottle, "io"),
];

impl SysInfo {
    /// Looks at what is mounted. A host without control groups offers nothing.
    pub(crate) fn detect() -> Self {
        let layout = Layout::detect().unwrap_or_default();
        let absent = layout.hierarchies().is_empty();
        let mut info = Self {
            unified: if absent {
                !Layout::host_has_v1()
            } else {
                layout
                    .hierarchies()
                    .iter()
                    .all(|hierarchy| hierarchy.version == Version::V2)
            },
            absent,
            ..Self::default()
        };
        for (offer, controller, file) in FILES {
            let found = layout.of(controller).is_some_and(|hierarchy| {
                hierarchy.version == Version::V1 && hierarchy.mount.join(file).exists()
            });
            if found {
                info.offers.insert(offer);
            }
        }
        for (offer, controller) in CONTROLLERS {
            let version = layout.of(controller).map(|hierarchy| hierarchy.version);
            if version == Some(Version::V2) {
                info.offers.insert(offer);
            }
        }
        if let Some(hierarchy) = layout.of("memory")
            && hierarchy.version == Version::V2
            && has_swap(&hierarchy.mount)
        {
            info.offers.insert(Offer::Swap);
        }
        if layout.of("pids").is_some() {
            info.offers.insert(Offer::Pids);
        }
        if let Some(hierarchy) = layout.of("cpuset") {
            let read = |name: &str| {
                let effective = hierarchy.mount.join(format!("{name}.effective"));
                let text = std::fs::read_to_string(effective)
                    .or_else(|_| std::fs::read_to_string(hierarchy.mount.join(name)));
                text.unwrap_or_default().trim().to_owned()
            };
            (info.cpus, info.mems) = (read("cpuset.cpus"), read("cpuset.mems"));
        }
        info
    }

    /// Whether a kind of limit can be held.
    pub(crate) fn has(&self, offer: Offer) -> bool {
        self.offers.contains(&offer)
    }

    /// A host of these offers, for tests of what follows from them.
    #[cfg(test)]
    pub(crate) fn of(offers: &[Offer]) -> Self {
        Self {
            offers: offers.iter().copied().collect(),
            unified: false,
            absent: false,
            cpus: "0-1".into(),
            mems: "0".into(),
        }
    }
}

/// The file of swap is in every group but the first.
fn has_swap(mount: &Path) -> bool {
    let inside = std::fs::read_dir(mount).into_iter().flatten().flatten();
    std::iter::once(mount.to_owned())
        .chain(inside.map(|entry| entry.path()))
        .any(|group| group.join("memory.swap.max").exists())
}

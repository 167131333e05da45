//! The limits of a wish, as the control groups take them: pure.

use kernel::cgroup::{DeviceRule, Limit, Rate};

use super::request::{DeviceNumber, RareResources, Resources};

/// The limits, in the order they are written.
pub(crate) fn limits(resources: &Resources, devices: Option<&[String]>) -> Vec<Limit> {
    let mut limits = memory(resources);
    limits.extend(match resources.pids_limit {
        Some(n) if n > 0 => Some(Limit::PidsUpTo(u64::try_from(n).ok())),
        Some(n) if n < 0 => Some(Limit::PidsUpTo(None)),
        _ => None,
    });
    limits.extend(processor(resources));
    let list = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
    limits.extend(list(&resources.cpuset_cpus).map(Limit::CpusetCpus));
    limits.extend(list(&resources.cpuset_mems).map(Limit::CpusetMems));
    let weight = resources.blkio_weight.filter(|&n| n > 0);
    limits.extend(weight.map(Limit::BlockWeight));
    limits.extend(rare(&resources.rare));
    if let Some(rules) = devices {
        limits.push(Limit::Devices(
            rules.iter().cloned().map(DeviceRule).collect(),
        ));
    }
    limits
}

fn positive(n: Option<i64>) -> Option<u64> {
    n.and_then(|n| u64::try_from(n).ok()).filter(|&n| n > 0)
}

fn memory(resources: &Resources) -> Vec<Limit> {
    let mut limits = Vec::new();
    if let Some(memory) = positive(resources.memory) {
        let swap = match resources.memory_swap {
            // As Docker: without a word as much swap as memory.
            None | Some(0) => Some(memory),
            Some(total) => u64::try_from(total)
                .ok()
                .map(|total| total.saturating_sub(memory)),
        };
        limits.push(Limit::MemoryAndSwap { memory, swap });
    } else if resources.memory.is_some_and(|n| n < 0) {
        limits.push(Limit::MemoryUnlimited);
    }
    limits.extend(positive(resources.memory_reservation).map(Limit::MemoryReservation));
    limits.extend(resources.memory_swappiness.map(Limit::MemorySwappiness));
    if resources.oom_kill_disable == Some(true) {
        limits.push(Limit::OomKillDisable);
    }
    limits.extend(positive(resources.kernel_memory_tcp).map(Limit::TcpMemory));
    limits
}

fn processor(resources: &Resources) -> Vec<Limit> {
    let mut limits = Vec::new();
    let shares = resources.cpu_shares.filter(|&n| n > 0);
    limits.extend(shares.map(Limit::CpuShares));
    let period = resources.cpu_period.filter(|&n| n > 0);
    match resources.cpu_quota {
        Some(quota) if quota > 0 => limits.push(Limit::Cpu {
            quota: quota.unsigned_abs(),
            period: period.unwrap_or(100_000),
        }),
        Some(quota) if quota < 0 => limits.push(Limit::CpuUnlimited {
            period: period.unwrap_or(100_000),
        }),
        _ => limits.extend(period.map(|period| Limit::CpuUnlimited { period })),
    }
    limits.extend(resources.cpu_burst.map(Limit::CpuBurst));
    limits.extend(resources.cpu_idle.map(Limit::CpuIdle));
    let (runtime, period) = (resources.cpu_rt_runtime, resources.cpu_rt_period);
    if runtime.is_some_and(|n| n != 0) || period.is_some_and(|n| n != 0) {
        limits.push(Limit::CpuRealTime { runtime, period });
    }
    limits
}

fn rare(rare: &RareResources) -> Vec<Limit> {
    let device = |number: &DeviceNumber| format!("{}:{}", number.major, number.minor);
    let mut limits: Vec<Limit> = rare
        .blkio_weight_device
        .iter()
        .map(|wish| {
            let weight = u16::try_from(wish.number).unwrap_or(u16::MAX);
            Limit::BlockWeightDevice(device(wish), weight)
        })
        .collect();
    for (rate, wishes) in [
        (Rate::ReadBytes, &rare.blkio_read_bps),
        (Rate::WriteBytes, &rare.blkio_write_bps),
        (Rate::Reads, &rare.blkio_read_iops),
        (Rate::Writes, &rare.blkio_write_iops),
    ] {
        let limit = |wish| Limit::BlockRate(rate, device(wish), wish.number);
        limits.extend(wishes.iter().map(limit));
    }
    let pages = rare.huge_pages.iter();
    limits.extend(pages.map(|(size, bytes)| Limit::HugePages(size.clone(), *bytes)));
    let rdma = rare.rdma.iter();
    limits
        .extend(rdma.map(|(name, handles, objects)| Limit::Rdma(name.clone(), *handles, *objects)));
    limits.extend(rare.network_class.map(Limit::NetworkClass));
    let priorities = rare.network_priorities.iter();
    limits.extend(priorities.map(|(name, n)| Limit::NetworkPriority(name.clone(), *n)));
    let files = rare.unified.iter();
    limits.extend(files.map(|(file, value)| Limit::Unified(file.clone(), value.clone())));
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_alone_allows_as_much_swap() {
        let resources = Resources {
            memory: Some(64 << 20),
            ..Resources::default()
        };
        let expected = Limit::MemoryAndSwap {
            memory: 64 << 20,
            swap: Some(64 << 20),
        };
        assert_eq!(limits(&resources, None), [expected]);
    }

    #[test]
    fn minus_one_means_no_limit() {
        let resources = Resources {
            memory: Some(1 << 20),
            memory_swap: Some(-1),
            pids_limit: Some(-1),
            ..Resources::default()
        };
        let expected = Limit::MemoryAndSwap {
            memory: 1 << 20,
            swap: None,
        };
        assert_eq!(limits(&resources, None), [expected, Limit::PidsUpTo(None)]);
    }
}

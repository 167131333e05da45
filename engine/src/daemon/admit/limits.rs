//! Limits: what is out of range is refused, what this host cannot hold is discarded with a warning.

use crate::api::types::{HostConfig, ThrottleDevice};

use super::super::DaemonError;
use super::super::sysinfo::{Offer, SysInfo};
use crate::runtime::cpu_list;

/// The least memory a container can start with.
const LEAST_MEMORY: i64 = 6 << 20;

/// When limits are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// For a new container.
    Create,
    /// For one that is there: what is left out stays as it was.
    Update,
}

/// Checks limits; what the host cannot hold is taken out of the request. Returns warnings.
pub(crate) fn limits(
    host: &mut HostConfig,
    info: &SysInfo,
    occasion: Occasion,
) -> Result<Vec<String>, DaemonError> {
    let mut warnings = Vec::new();
    memory(host, info, occasion, &mut warnings)?;
    out_of_memory(host, info, &mut warnings)?;
    if !info.has(Offer::Pids) && host.pids_limit.is_some_and(|limit| limit > 0) {
        host.pids_limit = None;
        warnings.push(discarded("PIDs limit capabilities", "PIDs limit discarded"));
    }
    processor(host, info, &mut warnings)?;
    cpuset(host, info, &mut warnings)?;
    block_devices(host, info, &mut warnings)?;
    Ok(warnings)
}

fn discarded(what: &str, then: &str) -> String {
    format!("Your kernel does not support {what} or the cgroup is not mounted. {then}.")
}

fn refused(text: impl Into<String>) -> DaemonError {
    DaemonError::Invalid(text.into())
}

fn memory(
    host: &mut HostConfig,
    info: &SysInfo,
    occasion: Occasion,
    warnings: &mut Vec<String>,
) -> Result<(), DaemonError> {
    if host.memory != 0 && host.memory < LEAST_MEMORY {
        return Err(refused("Minimum memory limit allowed is 6MB"));
    }
    if host.memory > 0 && !info.has(Offer::Memory) {
        warnings.push(discarded(
            "memory limit capabilities",
            "Limitation discarded",
        ));
        (host.memory, host.memory_swap) = (0, -1);
    }
    if host.memory > 0 && host.memory_swap != -1 && !info.has(Offer::Swap) {
        warnings.push(discarded(
            "swap limit capabilities",
            "Memory limited without swap",
        ));
        host.memory_swap = -1;
    }
    if host.memory > 0 && host.memory_swap > 0 && host.memory_swap < host.memory {
        return Err(refused(
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ));
    }
    if host.memory == 0 && host.memory_swap > 0 && occasion == Occasion::Create {
        return Err(refused(
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        ));
    }
    // The client's word for "not set".
    host.memory_swappiness = host.memory_swappiness.filter(|value| *value != -1);
    if let Some(swappiness) = host.memory_swappiness {
        if !info.has(Offer::Swappiness) {
            warnings.push(discarded(
                "memory swappiness capabilities",
                "Memory swappiness discarded",
            ));
            host.memory_swappiness = None;
        } else if !(0..=100).contains(&swappiness) {
            return Err(refused(format!(
                "Invalid value: {swappiness}, valid memory swappiness range is 0-100"
            )));
        }
    }
    if host.memory_reservation > 0 && !info.has(Offer::MemoryReservation) {
        warnings.push(discarded(
            "memory soft limit capabilities",
            "Limitation discarded",
        ));
        host.memory_reservation = 0;
    }
    if host.memory_reservation > 0 && host.memory_reservation < LEAST_MEMORY {
        return Err(refused("Minimum memory reservation allowed is 6MB"));
    }
    if host.memory > 0 && host.memory_reservation > 0 && host.memory < host.memory_reservation {
        return Err(refused(
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ));
    }
    kernel_memory(host, info, warnings)
}

/// Kernels since 5.4 do not hold it any more; Docker says so and goes on.
fn kernel_memory(
    host: &mut HostConfig,
    info: &SysInfo,
    warnings: &mut Vec<String>,
) -> Result<(), DaemonError> {
    if host.kernel_memory > 0 && !info.has(Offer::KernelMemory) {
        warnings.push(discarded(
            "kernel memory limit capabilities",
            "Limitation discarded",
        ));
        host.kernel_memory = 0;
    }
    if host.kernel_memory > 0 && host.kernel_memory < LEAST_MEMORY {
        return Err(refused("Minimum kernel memory limit allowed is 6MB"));
    }
    if host.kernel_memory_tcp > 0 && !info.has(Offer::KernelMemoryTcp) {
        warnings.push(discarded(
            "kernel memory TCP limit capabilities",
            "Limitation discarded",
        ));
        host.kernel_memory_tcp = 0;
    }
    Ok(())
}

fn out_of_memory(
    host: &mut HostConfig,
    info: &SysInfo,
    warnings: &mut Vec<String>,
) -> Result<(), DaemonError> {
    if !(-1000..=1000).contains(&host.oom_score_adj) {
        return Err(refused(format!(
            "Invalid value {}, range for oom score adj is [-1000, 1000]",
            host.oom_score_adj
        )));
    }
    if !info.has(Offer::OomKillDisable) {
        if host.oom_kill_disable == Some(true) {
            warnings.push(
                "Your kernel does not support OomKillDisable. OomKillDisable discarded.".into(),
            );
        }
        host.oom_kill_disable = None;
    }
    if host.oom_kill_disable == Some(true) && host.memory == 0 {
        warnings.push(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system \
             running out of resources."
                .into(),
        );
    }
    Ok(())
}

fn processor(
    host: &mut HostConfig,
    info: &SysInfo,
    warnings: &mut Vec<String>,
) -> Result<(), DaemonError> {
    let conflict = |what: &str| {
        refused(format!(
            "Conflicting options: Nano CPUs and {what} cannot both be set"
        ))
    };
    if host.nano_cpus > 0 && host.cpu_period > 0 {
        return Err(conflict("CPU Period"));
    }
    if host.nano_cpus > 0 && host.cpu_quota > 0 {
        return Err(conflict("CPU Quota"));
    }
    if host.nano_cpus > 0 && !info.has(Offer::CpuCfs) {
        return Err(refused(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
        ));
    }
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let most = i64::try_from(count)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000_000_000);
    if host.nano_cpus < 0 || host.nano_cpus > most {
        return Err(refused(format!(
            "Range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available"
        )));
    }
    if host.cpu_shares < 0 {
        return Err(DaemonError::Refused("shares: invalid argument".into()));
    }
    if host.cpu_shares > 0 && !info.has(Offer::CpuShares) {
        warnings.push(discarded("CPU shares", "Shares discarded"));
        host.cpu_shares = 0;
    }
    if (host.cpu_period != 0 || host.cpu_quota != 0) && !info.has(Offer::CpuCfs) {
        warnings.push(
            "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.".into(),
        );
        (host.cpu_period, host.cpu_quota) = (0, 0);
    }
    if host.cpu_period != 0 && !(1000..=1_000_000).contains(&host.cpu_period) {
        return Err(refused(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ));
    }
    if (1..1000).contains(&host.cpu_quota) {
        return Err(refused(
            "CPU cfs quota can not be less than 1ms (i.e. 1000)",
        ));
    }
    if host.cpu_percent > 0 {
        warnings.push("linux does not support CPU percent. Percent discarded.".into());
        host.cpu_percent = 0;
    }
    realtime(host, info)
}

fn realtime(host: &HostConfig, info: &SysInfo) -> Result<(), DaemonError> {
    let (period, runtime) = (host.cpu_realtime_period, host.cpu_realtime_runtime);
    if (period != 0 || runtime != 0) && !info.has(Offer::CpuRealtime) {
        let what = if period == 0 { "runtime" } else { "period" };
        return Err(refused(format!(
            "your kernel does not support CPU real-time {what}"
        )));
    }
    if period != 0 && runtime > period {
        return Err(refused(
            "cpu real-time runtime cannot be higher than cpu real-time period",
        ));
    }
    Ok(())
}

fn cpuset(
    host: &mut HostConfig,
    info: &SysInfo,
    warnings: &mut Vec<String>,
) -> Result<(), DaemonError> {
    if (!host.cpuset_cpus.is_empty() || !host.cpuset_mems.is_empty()) && !info.has(Offer::Cpuset) {
        warnings.push(discarded("cpuset", "CPUset discarded"));
        host.cpuset_cpus.clear();
        host.cpuset_mems.clear();
    }
    let parts = [
        ("cpus", "CPUs", &host.cpuset_cpus, &info.cpus),
        ("mems", "memory nodes", &host.cpuset_mems, &info.mems),
    ];
    for (short, long, asked, there) in parts {
        match cpu_list::is_available(asked, there) {
            Some(true) => {}
            Some(false) => {
                return Err(refused(format!(
                    "Requested {long} are not available - requested {asked}, available: {there}"
                )));
            }
            None => {
                return Err(refused(format!(
                    "Invalid value {asked} for cpuset {short}: invalid format: {asked}"
                )));
            }
        }
    }
    Ok(())
}

fn block_devices(
    host: &mut HostConfig,
    info: &SysInfo,
    warnings: &mut Vec<String>,
) -> Result<(), DaemonError> {
    if host.blkio_weight > 0 && !info.has(Offer::BlkioWeight) {
        warnings.push(discarded("Block I/O weight", "Weight discarded"));
        host.blkio_weight = 0;
    }
    if host.blkio_weight > 0 && !(10..=1000).contains(&host.blkio_weight) {
        return Err(refused("Range of blkio weight is from 10 to 1000"));
    }
    let weighted = host
        .blkio_weight_device
        .as_ref()
        .is_some_and(|devices| !devices.is_empty());
    if weighted && !info.has(Offer::BlkioWeightDevice) {
        warnings.push(discarded(
            "Block I/O weight_device",
            "Weight-device discarded",
        ));
        host.blkio_weight_device = Some(Vec::new());
    }
    let throttles: [(&mut Option<Vec<ThrottleDevice>>, &str, &str); 4] = [
        (
            &mut host.blkio_device_read_bps,
            "BPS Block I/O read limit",
            "Block I/O BPS read limit discarded",
        ),
        (
            &mut host.blkio_device_write_bps,
            "BPS Block I/O write limit",
            "Block I/O BPS write limit discarded",
        ),
        (
            &mut host.blkio_device_read_iops,
            "IOPS Block read limit",
            "Block I/O IOPS read limit discarded",
        ),
        (
            &mut host.blkio_device_write_iops,
            "IOPS Block write limit",
            "Block I/O IOPS write limit discarded",
        ),
    ];
    for (devices, what, then) in throttles {
        if devices.as_ref().is_some_and(|list| !list.is_empty()) && !info.has(Offer::BlkioThrottle)
        {
            warnings.push(discarded(what, then));
            *devices = Some(Vec::new());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i64 = 1 << 20;

    #[track_caller]
    fn check(json: serde_json::Value, offers: &[Offer], expected: Result<&[&str], &str>) {
        let mut host: HostConfig = serde_json::from_value(json).unwrap();
        let found = limits(&mut host, &SysInfo::of(offers), Occasion::Create);
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected),
            (found, expected) => panic!("{found:?} and not {expected:?}"),
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        use serde_json::json;
        let all = [
            Offer::Memory,
            Offer::Swap,
            Offer::Swappiness,
            Offer::CpuCfs,
            Offer::Cpuset,
        ];
        let cases = [
            (json!({"Memory": 1}), "Minimum memory limit allowed is 6MB"),
            (
                json!({"MemorySwap": 8 * MIB}),
                "You should always set the Memory limit when using Memoryswap limit, see usage",
            ),
            (
                json!({"MemorySwappiness": 101}),
                "Invalid value: 101, valid memory swappiness range is 0-100",
            ),
            (
                json!({"NanoCpus": 1, "CpuPeriod": 1000}),
                "Conflicting options: Nano CPUs and CPU Period cannot both be set",
            ),
            (
                json!({"CpuQuota": 999}),
                "CPU cfs quota can not be less than 1ms (i.e. 1000)",
            ),
            (
                json!({"CpusetCpus": "7"}),
                "Requested CPUs are not available - requested 7, available: 0-1",
            ),
            (
                json!({"OomScoreAdj": -1001}),
                "Invalid value -1001, range for oom score adj is [-1000, 1000]",
            ),
        ];
        for (json, words) in cases {
            check(json, &all, Err(words));
        }
    }

    #[test]
    fn what_the_host_cannot_hold_is_discarded_with_a_warning() {
        use serde_json::json;
        check(
            json!({"BlkioWeight": 500}),
            &[],
            Ok(&[
                "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
            ]),
        );
        check(
            json!({"OomKillDisable": true, "Memory": 8 * MIB}),
            &[Offer::Memory, Offer::Swap],
            Ok(&["Your kernel does not support OomKillDisable. OomKillDisable discarded."]),
        );
        check(
            json!({"Memory": 8 * MIB}),
            &[Offer::Memory],
            Ok(&[
                "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited \
                 without swap.",
            ]),
        );
    }

    #[test]
    fn an_update_may_leave_the_memory_as_it_is() {
        let mut host = HostConfig {
            memory_swap: 64 * MIB,
            ..HostConfig::default()
        };
        let info = SysInfo::of(&[Offer::Memory, Offer::Swap]);
        assert!(limits(&mut host, &info, Occasion::Update).is_ok());
    }
}

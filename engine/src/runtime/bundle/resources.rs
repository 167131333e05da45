//! Limits of a bundle, and the devices it may use.

use super::BundleError;
use crate::oci::runtime_spec::{
    LinuxBlockIo, LinuxDeviceCgroup, LinuxDeviceType, LinuxPids, LinuxResources,
    LinuxThrottleDevice, Spec,
};
use crate::runtime::request::{DeviceNumber, RareResources, Resources};

/// Whether it asks for a limit of kernel memory, which no Linux we support has any more: the caller warns, as runc does.
pub fn limits_kernel_memory(spec: &Spec) -> bool {
    let resources = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.resources().as_ref());
    let memory = resources.and_then(|resources| resources.memory().as_ref());
    memory.is_some_and(|memory| memory.kernel().is_some())
}

/// The limits, and the lines of the device controller.
pub fn limits(wanted: &LinuxResources) -> Result<(Resources, Vec<String>), BundleError> {
    let mut limits = Resources::default();
    if let Some(memory) = wanted.memory() {
        limits.memory = memory.limit();
        limits.memory_swap = memory.swap();
        limits.memory_reservation = memory.reservation();
        limits.memory_swappiness = memory.swappiness();
        limits.oom_kill_disable = memory.disable_oom_killer();
        limits.kernel_memory_tcp = memory.kernel_tcp();
        if limits.memory.is_none() && limits.memory_swap.is_some_and(|n| n > 0) {
            return Err(BundleError::Missing("memory.limit beside memory.swap"));
        }
    }
    if let Some(cpu) = wanted.cpu() {
        limits.cpu_shares = cpu.shares();
        limits.cpu_quota = cpu.quota();
        limits.cpu_period = cpu.period();
        limits.cpu_burst = cpu.burst();
        limits.cpu_idle = cpu.idle();
        limits.cpu_rt_runtime = cpu.realtime_runtime();
        limits.cpu_rt_period = cpu.realtime_period();
        limits.cpuset_cpus = cpu.cpus().clone();
        limits.cpuset_mems = cpu.mems().clone();
    }
    limits.pids_limit = wanted.pids().as_ref().map(LinuxPids::limit);
    limits.rare = rare(wanted)?;
    if let Some(block) = wanted.block_io() {
        limits.blkio_weight = block.weight();
        limits.rare.blkio_weight_device = weights(block)?;
        let rates = |list: &Option<Vec<LinuxThrottleDevice>>| throttles(list.as_deref());
        limits.rare.blkio_read_bps = rates(block.throttle_read_bps_device())?;
        limits.rare.blkio_write_bps = rates(block.throttle_write_bps_device())?;
        limits.rare.blkio_read_iops = rates(block.throttle_read_iops_device())?;
        limits.rare.blkio_write_iops = rates(block.throttle_write_iops_device())?;
        if block.leaf_weight().is_some_and(|weight| weight != 0) {
            let what = "linux.resources.blockIO.leafWeight (no Linux since 5.0 has it)";
            return Err(BundleError::Unsupported(what.to_owned()));
        }
    }
    let rules = devices(wanted.devices().as_deref().unwrap_or_default())?;
    Ok((limits, rules))
}

fn rare(wanted: &LinuxResources) -> Result<RareResources, BundleError> {
    let mut rare = RareResources::default();
    for page in wanted.hugepage_limits().iter().flatten() {
        let size = page.page_size().clone();
        file_name("linux.resources.hugepageLimits.pageSize", &size)?;
        rare.huge_pages.push((size, page.limit().unsigned_abs()));
    }
    for (name, limit) in wanted.rdma().iter().flatten() {
        rare.rdma
            .push((name.clone(), limit.hca_handles(), limit.hca_objects()));
    }
    rare.rdma.sort();
    if let Some(network) = wanted.network() {
        rare.network_class = network.class_id();
        for priority in network.priorities().iter().flatten() {
            let name = priority.name().clone();
            rare.network_priorities.push((name, priority.priority()));
        }
    }
    for (file, value) in wanted.unified().iter().flatten() {
        file_name("linux.resources.unified", file)?;
        rare.unified.insert(file.clone(), value.clone());
    }
    Ok(rare)
}

/// What becomes a part of a file's name must lead nowhere else.
fn file_name(what: &'static str, name: &str) -> Result<(), BundleError> {
    if name.is_empty() || name.contains('/') || name.contains('\0') || name.starts_with('.') {
        return Err(BundleError::Invalid {
            what,
            value: name.to_owned(),
        });
    }
    Ok(())
}

fn weights(block: &LinuxBlockIo) -> Result<Vec<DeviceNumber>, BundleError> {
    let mut all = Vec::new();
    for wish in block.weight_device().iter().flatten() {
        let weight = wish.weight().unwrap_or(0);
        all.push(about(wish.major(), wish.minor(), weight.into())?);
    }
    Ok(all)
}

fn throttles(list: Option<&[LinuxThrottleDevice]>) -> Result<Vec<DeviceNumber>, BundleError> {
    let wishes = list.unwrap_or_default().iter();
    wishes
        .map(|wish| about(wish.major(), wish.minor(), wish.rate()))
        .collect()
}

fn about(major: i64, minor: i64, number: u64) -> Result<DeviceNumber, BundleError> {
    let part = |n: i64| {
        u32::try_from(n).map_err(|_| BundleError::Invalid {
            what: "linux.resources.blockIO device",
            value: n.to_string(),
        })
    };
    Ok(DeviceNumber {
        major: part(major)?,
        minor: part(minor)?,
        number,
    })
}

/// What every container may do with devices, whatever its bundle says: make any node, and use those
/// that are in every `/dev`.
const ALWAYS: [&str; 11] = [
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:1 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
];

/// The list of what is allowed in the end: nothing at first, then rule after rule.
fn devices(rules: &[LinuxDeviceCgroup]) -> Result<Vec<String>, BundleError> {
    let mut allowed: Vec<Rule> = Vec::new();
    for rule in rules {
        let wanted = Rule::parse(rule)?;
        match (rule.allow(), wanted.kind) {
            // As version 1 reads it, the whole list and not one of its lines.
            (true, 'a') => allowed = vec![wanted],
            (false, 'a') => allowed.clear(),
            (true, _) => allowed.push(wanted),
            (false, _) => deny(&mut allowed, &wanted)?,
        }
    }
    let mut lines: Vec<String> = allowed.iter().map(Rule::line).collect();
    lines.extend(ALWAYS.map(str::to_owned));
    Ok(lines)
}

/// Takes rights from lines about the very same devices; a hole in a wider line cannot be said in a
/// list of what is allowed.
fn deny(allowed: &mut Vec<Rule>, denied: &Rule) -> Result<(), BundleError> {
    for rule in allowed.iter_mut() {
        if rule.same_devices(denied) {
            rule.access.retain(|right| !denied.access.contains(right));
        } else if rule.meets(denied) {
            let what = format!(
                "denying a part of an allowed range of devices ({})",
                denied.line()
            );
            return Err(BundleError::Unsupported(what));
        }
    }
    allowed.retain(|rule| !rule.access.is_empty());
    Ok(())
}

/// A line of the device controller; `None` is any number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    kind: char,
    major: Option<u32>,
    minor: Option<u32>,
    access: String,
}

impl Rule {
    fn parse(rule: &LinuxDeviceCgroup) -> Result<Self, BundleError> {
        let invalid = |what, value: String| BundleError::Invalid { what, value };
        let kind = match rule.typ() {
            None | Some(LinuxDeviceType::A) => 'a',
            Some(LinuxDeviceType::B) => 'b',
            Some(LinuxDeviceType::C | LinuxDeviceType::U) => 'c',
            Some(LinuxDeviceType::P) => {
                return Err(invalid("linux.resources.devices type", "p".to_owned()));
            }
        };
        // -1 means any, as no number does.
        let number = |n: Option<i64>| match n {
            None | Some(-1) => Ok(None),
            Some(n) => u32::try_from(n)
                .map(Some)
                .map_err(|_| invalid("linux.resources.devices number", n.to_string())),
        };
        let access = rule.access().clone().filter(|a| !a.is_empty());
        let access = access.unwrap_or_else(|| "rwm".to_owned());
        if !access.chars().all(|c| "rwm".contains(c)) {
            return Err(invalid("linux.resources.devices access", access));
        }
        Ok(Self {
            kind,
            major: number(rule.major())?,
            minor: number(rule.minor())?,
            access,
        })
    }

    fn line(&self) -> String {
        let number = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
        let (major, minor) = (number(self.major), number(self.minor));
        format!("{} {major}:{minor} {}", self.kind, self.access)
    }

    fn same_devices(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }

    fn meets(&self, other: &Self) -> bool {
        let number = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        (self.kind == 'a' || self.kind == other.kind)
            && number(self.major, other.major)
            && number(self.minor, other.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &str, expected: &[&str]) {
        let rules: Vec<LinuxDeviceCgroup> = serde_json::from_str(rules).unwrap();
        let lines = devices(&rules).unwrap();
        assert_eq!(lines[..lines.len() - ALWAYS.len()], *expected);
    }

    #[test]
    fn rules_become_a_list_of_what_is_allowed() {
        check(r#"[{"allow":false,"access":"rwm"}]"#, &[]);
        check(
            r#"[{"allow":false},{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}]"#,
            &["c 10:229 rw"],
        );
        check(r#"[{"allow":true,"access":"rwm"}]"#, &["a *:* rwm"]);
        check(
            r#"[{"allow":true,"type":"b","major":8,"minor":-1,"access":"rw"},
                {"allow":false,"type":"b","major":8,"access":"w"}]"#,
            &["b 8:* r"],
        );
    }

    #[test]
    fn a_hole_is_refused() {
        let rules = r#"[{"allow":true},{"allow":false,"type":"b","major":8,"minor":0}]"#;
        let rules: Vec<LinuxDeviceCgroup> = serde_json::from_str(rules).unwrap();
        assert!(devices(&rules).is_err());
    }
}

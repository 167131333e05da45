//! The process of a bundle, or of an `exec`.

use kernel::capability::Set;

use super::{BundleError, filter, text_without_nul};
use crate::oci::runtime_spec::{
    IOPriorityClass, LinuxCapabilities, LinuxPersonalityDomain, LinuxSchedulerFlag,
    LinuxSchedulerPolicy, Process, Spec,
};
use crate::runtime::process::{CapabilitySets, Ids, Policy, ProcessPlan, Schedule, Special};
use crate::runtime::request::{Rlimit, Stdin, TerminalSize};

/// Decides what a process of a bundle gets; its filter is that of the whole container.
pub fn plan(process: &Process, spec: &Spec) -> Result<ProcessPlan, BundleError> {
    let argv = process.args().clone().unwrap_or_default();
    if argv.first().is_none_or(String::is_empty) {
        return Err(BundleError::Missing("process.args"));
    }
    let env = process.env().clone().unwrap_or_default();
    for text in argv.iter().chain(&env) {
        text_without_nul("argument", text)?;
    }
    let cwd = process.cwd().to_string_lossy().into_owned();
    if !cwd.starts_with('/') {
        return Err(BundleError::Invalid {
            what: "process.cwd (must be an absolute path)",
            value: cwd,
        });
    }
    text_without_nul("process.cwd", &cwd)?;
    if process
        .selinux_label()
        .as_ref()
        .is_some_and(|label| !label.is_empty())
    {
        return Err(BundleError::Unsupported("process.selinuxLabel".to_owned()));
    }
    let filter = match spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.seccomp().as_ref())
    {
        Some(seccomp) => filter::compile(seccomp)?,
        None => filter::Compiled::default(),
    };
    let user = process.user();
    Ok(ProcessPlan {
        argv,
        env,
        cwd,
        user: String::new(),
        groups: Vec::new(),
        terminal: terminal(process),
        stdin: Stdin::Null,
        capabilities: None,
        filter: filter.programs.map(|joined| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(joined)
        }),
        no_new_privileges: process.no_new_privileges().unwrap_or(false),
        rlimits: rlimits(process)?,
        oom_score_adj: process.oom_score_adj(),
        apparmor: process
            .apparmor_profile()
            .clone()
            .filter(|name| !name.is_empty()),
        special: Special {
            ids: Some(Ids {
                uid: user.uid(),
                gid: user.gid(),
                groups: user.additional_gids().clone().unwrap_or_default(),
            }),
            umask: user.umask(),
            capabilities: Some(capabilities(process.capabilities().as_ref())),
            filter_flags: filter.flags,
            listener: filter.listener,
            schedule: schedule(process, spec)?,
            ..Special::default()
        },
    })
}

fn terminal(process: &Process) -> Option<TerminalSize> {
    if process.terminal() != Some(true) {
        return None;
    }
    let side = |n: u64| u16::try_from(n).unwrap_or(u16::MAX);
    Some(
        process
            .console_size()
            .map_or_else(TerminalSize::default, |size| TerminalSize {
                cols: side(size.width()),
                rows: side(size.height()),
            }),
    )
}

/// Without a word a process has no capability at all.
fn capabilities(wanted: Option<&LinuxCapabilities>) -> CapabilitySets {
    let Some(wanted) = wanted else {
        return CapabilitySets::default();
    };
    let bits = |set: &Option<oci_spec::runtime::Capabilities>| {
        let names = set.iter().flatten().map(ToString::to_string);
        let sets = names.filter_map(|name| Set::of(&name));
        sets.fold(Set::default(), Set::with).0
    };
    CapabilitySets {
        bounding: bits(wanted.bounding()),
        effective: bits(wanted.effective()),
        permitted: bits(wanted.permitted()),
        inheritable: bits(wanted.inheritable()),
        ambient: bits(wanted.ambient()),
    }
}

fn rlimits(process: &Process) -> Result<Vec<Rlimit>, BundleError> {
    let mut limits: Vec<Rlimit> = Vec::new();
    for limit in process.rlimits().iter().flatten() {
        let name = limit.typ().to_string().to_ascii_lowercase();
        let name = name.trim_start_matches("rlimit_").to_owned();
        if limits.iter().any(|other| other.name == name) {
            return Err(BundleError::Invalid {
                what: "process.rlimits (twice)",
                value: name,
            });
        }
        // All bits set means no limit to both the specification and the kernel.
        let number = |n: u64| i64::try_from(n).unwrap_or(-1);
        limits.push(Rlimit {
            name,
            soft: number(limit.soft()),
            hard: number(limit.hard()),
        });
    }
    Ok(limits)
}

fn schedule(process: &Process, spec: &Spec) -> Result<Schedule, BundleError> {
    let personality = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.personality().clone());
    let personality = personality.map(|personality| match personality.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    });
    let disk = process.io_priority().as_ref().map(|priority| {
        let class = match priority.class() {
            IOPriorityClass::IoprioClassRt => 1,
            IOPriorityClass::IoprioClassBe => 2,
            IOPriorityClass::IoprioClassIdle => 3,
        };
        match u16::try_from(priority.priority()) {
            Ok(level) if level < 8 => Ok((class, level)),
            _ => Err(BundleError::Invalid {
                what: "process.ioPriority.priority",
                value: priority.priority().to_string(),
            }),
        }
    });
    Ok(Schedule {
        policy: process.scheduler().as_ref().map(policy).transpose()?,
        disk: disk.transpose()?,
        personality,
        processors: None,
    })
}

fn policy(wish: &oci_spec::runtime::Scheduler) -> Result<Policy, BundleError> {
    let name = match wish.policy() {
        LinuxSchedulerPolicy::SchedOther => "OTHER",
        LinuxSchedulerPolicy::SchedFifo => "FIFO",
        LinuxSchedulerPolicy::SchedRr => "RR",
        LinuxSchedulerPolicy::SchedBatch => "BATCH",
        LinuxSchedulerPolicy::SchedIdle => "IDLE",
        LinuxSchedulerPolicy::SchedDeadline => "DEADLINE",
        LinuxSchedulerPolicy::SchedIso => {
            let words = "process.scheduler.policy SCHED_ISO (no Linux has it)";
            return Err(BundleError::Unsupported(words.to_owned()));
        }
    };
    // The bits of sched_setattr(2).
    let bit = |flag: &LinuxSchedulerFlag| match flag {
        LinuxSchedulerFlag::SchedResetOnFork => 0x01,
        LinuxSchedulerFlag::SchedFlagReclaim => 0x02,
        LinuxSchedulerFlag::SchedFlagDLOverrun => 0x04,
        LinuxSchedulerFlag::SchedFlagKeepPolicy => 0x08,
        LinuxSchedulerFlag::SchedFlagKeepParams => 0x10,
        LinuxSchedulerFlag::SchedFlagUtilClampMin => 0x20,
        LinuxSchedulerFlag::SchedFlagUtilClampMax => 0x40,
    };
    let priority = wish.priority().unwrap_or(0);
    Ok(Policy {
        name: name.to_owned(),
        nice: wish.nice().unwrap_or(0),
        priority: u32::try_from(priority).map_err(|_| BundleError::Invalid {
            what: "process.scheduler.priority",
            value: priority.to_string(),
        })?,
        flags: wish
            .flags()
            .iter()
            .flatten()
            .map(bit)
            .fold(0, |all, bit| all | bit),
        deadline: (
            wish.runtime().unwrap_or(0),
            wish.deadline().unwrap_or(0),
            wish.period().unwrap_or(0),
        ),
    })
}

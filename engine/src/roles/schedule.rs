//! How the kernel shares processors and disks with a program.

use std::io::{Error, ErrorKind};

use kernel::error::SysError;
use kernel::process::{self, Deadline, IoClass, Policy, Schedule};

use crate::runtime::process::Schedule as Wish;

/// Sets what is wished; the rest stays as it was inherited.
pub(super) fn apply(wish: &Wish) -> Result<(), SysError> {
    if let Some(domain) = wish.personality {
        process::set_personality(domain)?;
    }
    if let Some((class, level)) = wish.disk {
        let class = match class {
            1 => IoClass::RealTime,
            2 => IoClass::BestEffort,
            _ => IoClass::Idle,
        };
        process::set_io_priority(class, level)?;
    }
    if let Some(processors) = &wish.processors {
        process::set_affinity(processors)?;
    }
    let Some(policy) = &wish.policy else {
        return Ok(());
    };
    let (runtime, deadline, period) = policy.deadline;
    let kind = match policy.name.as_str() {
        "OTHER" => Policy::Other,
        "FIFO" => Policy::Fifo,
        "RR" => Policy::RoundRobin,
        "BATCH" => Policy::Batch,
        "IDLE" => Policy::Idle,
        "DEADLINE" => Policy::Deadline(Deadline {
            runtime,
            deadline,
            period,
        }),
        other => {
            let unknown = Error::new(ErrorKind::InvalidInput, "no such policy");
            return Err(SysError::io("sched_setattr", unknown).on(other));
        }
    };
    process::set_schedule(&Schedule {
        policy: kind,
        nice: policy.nice,
        priority: policy.priority,
        flags: policy.flags,
    })
}

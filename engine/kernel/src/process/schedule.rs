//! How the kernel shares processors and disks with a process, and what system it pretends to be.

use crate::error::SysError;

/// A scheduling policy; see sched(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// `SCHED_OTHER`.
    Other,
    /// `SCHED_FIFO`.
    Fifo,
    /// `SCHED_RR`.
    RoundRobin,
    /// `SCHED_BATCH`.
    Batch,
    /// `SCHED_IDLE`.
    Idle,
    /// `SCHED_DEADLINE`.
    Deadline(Deadline),
}

/// Nanoseconds of processor time a deadline task gets in each period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadline {
    /// Processor time in each period, in nanoseconds.
    pub runtime: u64,
    /// By when it must have had it, in nanoseconds.
    pub deadline: u64,
    /// The period in nanoseconds.
    pub period: u64,
}

/// A policy and its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Which.
    pub policy: Policy,
    /// Nice value of the ordinary policies.
    pub nice: i32,
    /// Priority of the real-time policies.
    pub priority: u32,
    /// Flags as sched_setattr(2) takes them.
    pub flags: u64,
}

/// Sets the policy of this process; see sched_setattr(2).
pub fn set_schedule(schedule: &Schedule) -> Result<(), SysError> {
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }
    let (policy, deadline) = match schedule.policy {
        Policy::Other => (libc::SCHED_OTHER, Deadline::default()),
        Policy::Fifo => (libc::SCHED_FIFO, Deadline::default()),
        Policy::RoundRobin => (libc::SCHED_RR, Deadline::default()),
        Policy::Batch => (libc::SCHED_BATCH, Deadline::default()),
        Policy::Idle => (libc::SCHED_IDLE, Deadline::default()),
        Policy::Deadline(deadline) => (libc::SCHED_DEADLINE, deadline),
    };
    let attributes = Attributes {
        size: u32::try_from(size_of::<Attributes>()).expect("a small structure"),
        policy: policy.cast_unsigned(),
        flags: schedule.flags,
        nice: schedule.nice,
        priority: schedule.priority,
        runtime: deadline.runtime,
        deadline: deadline.deadline,
        period: deadline.period,
    };
    // SAFETY: sched_setattr(2) reads one structure, whose size is its first member, through the
    // pointer to a live local.
    let ret = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    SysError::check("sched_setattr", ret)
}

/// Runs this process on these processors only (numbers below 1024); see sched_setaffinity(2).
pub fn set_affinity(processors: &[usize]) -> Result<(), SysError> {
    let mut mask = [0u64; 16];
    for &number in processors {
        if let Some(word) = mask.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }
    // SAFETY: the pointer and the length describe one live array that the kernel only reads.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_sched_setaffinity,
            0,
            size_of_val(&mask),
            mask.as_ptr(),
        )
    };
    SysError::check("sched_setaffinity", ret)
}

/// A class of disk priority; see ioprio_set(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoClass {
    /// Before all others.
    RealTime,
    /// The usual one.
    BestEffort,
    /// Only when nobody else wants the disk.
    Idle,
}

/// Sets the disk priority of this process: 0 (first) to 7.
pub fn set_io_priority(class: IoClass, level: u16) -> Result<(), SysError> {
    const WHO_PROCESS: libc::c_int = 1;
    let class: libc::c_int = match class {
        IoClass::RealTime => 1,
        IoClass::BestEffort => 2,
        IoClass::Idle => 3,
    };
    let value = class << 13 | libc::c_int::from(level);
    // SAFETY: ioprio_set(2) takes its arguments by value.
    let ret = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, value) };
    SysError::check("ioprio_set", ret)
}

/// Sets the execution domain, such as `PER_LINUX32`; see personality(2).
pub fn set_personality(domain: u64) -> Result<(), SysError> {
    // SAFETY: personality(2) takes its argument by value.
    let ret = unsafe { libc::personality(domain) };
    SysError::check("personality", ret.into())
}

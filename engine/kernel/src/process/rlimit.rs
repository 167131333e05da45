//! Limits of one process; see setrlimit(2).

use crate::error::SysError;

/// A limit of setrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Open descriptors.
    OpenFiles,
    /// Bytes of a core file.
    Core,
    /// Processes of the user.
    Processes,
    /// Bytes of the stack.
    Stack,
    /// Bytes locked in memory.
    LockedMemory,
    /// Bytes of a written file.
    FileSize,
    /// Seconds of processor time.
    CpuTime,
    /// Bytes of address space.
    AddressSpace,
    /// Bytes of the data segment.
    Data,
    /// Pending signals.
    PendingSignals,
    /// Bytes in POSIX message queues.
    MessageQueues,
    /// Ceiling of the nice value.
    Nice,
    /// Ceiling of the real-time priority.
    RealTimePriority,
    /// Microseconds of real-time processor time without a blocking call.
    RealTimeTime,
    /// File locks.
    Locks,
    /// Resident set; has no effect.
    ResidentSet,
}

impl Resource {
    fn number(self) -> libc::__rlimit_resource_t {
        match self {
            Self::OpenFiles => libc::RLIMIT_NOFILE,
            Self::Core => libc::RLIMIT_CORE,
            Self::Processes => libc::RLIMIT_NPROC,
            Self::Stack => libc::RLIMIT_STACK,
            Self::LockedMemory => libc::RLIMIT_MEMLOCK,
            Self::FileSize => libc::RLIMIT_FSIZE,
            Self::CpuTime => libc::RLIMIT_CPU,
            Self::AddressSpace => libc::RLIMIT_AS,
            Self::Data => libc::RLIMIT_DATA,
            Self::PendingSignals => libc::RLIMIT_SIGPENDING,
            Self::MessageQueues => libc::RLIMIT_MSGQUEUE,
            Self::Nice => libc::RLIMIT_NICE,
            Self::RealTimePriority => libc::RLIMIT_RTPRIO,
            Self::RealTimeTime => libc::RLIMIT_RTTIME,
            Self::Locks => libc::RLIMIT_LOCKS,
            Self::ResidentSet => libc::RLIMIT_RSS,
        }
    }
}

/// Sets a soft and a hard limit of this process.
pub fn set_rlimit(resource: Resource, soft: u64, hard: u64) -> Result<(), SysError> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: setrlimit(2) reads one `rlimit` through the pointer to a live local.
    let ret = unsafe { libc::setrlimit(resource.number(), &raw const limit) };
    SysError::check("setrlimit", ret.into()).map_err(|e| e.on(format!("{resource:?}")))
}

/// The soft and the hard limit of this process.
pub fn rlimit(resource: Resource) -> Result<(u64, u64), SysError> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit(2) writes one `rlimit` through the pointer to a live local.
    let ret = unsafe { libc::getrlimit(resource.number(), &raw mut limit) };
    SysError::check("getrlimit", ret.into())?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

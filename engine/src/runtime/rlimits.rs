//! Limits of a process by their `ulimit` names.

use kernel::process::Resource;

/// The resource of a name, such as `nofile`.
pub(crate) fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::AddressSpace,
        "core" => Resource::Core,
        "cpu" => Resource::CpuTime,
        "data" => Resource::Data,
        "fsize" => Resource::FileSize,
        "locks" => Resource::Locks,
        "memlock" => Resource::LockedMemory,
        "msgqueue" => Resource::MessageQueues,
        "nice" => Resource::Nice,
        "nofile" => Resource::OpenFiles,
        "nproc" => Resource::Processes,
        "rss" => Resource::ResidentSet,
        "rtprio" => Resource::RealTimePriority,
        "rttime" => Resource::RealTimeTime,
        "sigpending" => Resource::PendingSignals,
        "stack" => Resource::Stack,
        _ => return None,
    })
}

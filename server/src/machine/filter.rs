//! The system call filter of a machine: shells and everything below them, and, through the engine, containers.
//!
//! Two programs are stacked, and the kernel applies the stricter answer: the engine's own list of allowed calls, for
//! a process with the machine's capabilities (mounts, namespaces, changes of root), and a list of what these
//! capabilities would allow and no exercise needs. A container has the filter of its own besides, if it has one.

use std::fs::File;
use std::io::{Read, Seek};

use engine::runtime::seccomp;
use kernel::capability::Set;
use kernel::error::SysError;
use libseccomp::error::SeccompError;
use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall,
};

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("the list of allowed calls cannot be built")]
    Allowed(#[from] seccomp::FilterError),
    #[error("the filter cannot be built")]
    Build(#[source] SeccompError),
    #[error("the filter cannot be read back")]
    Read(#[source] std::io::Error),
    #[error("the rule for {call} cannot be built")]
    Rule { call: String, source: SeccompError },
    #[error("the kernel refuses the filter")]
    Load(#[from] SysError),
}

/// Whose calls are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The learner's own programs: those of the machine's image.
    Shells,
    /// Containers, whose images may hold 32-bit programs.
    Containers,
}

/// Capabilities that neither an exercise nor a nested engine needs. Without `SYS_RESOURCE` nobody in the machine can
/// raise the limits that stand in `user.max_*`.
const REFUSED_CAPABILITIES: [&str; 15] = [
    "SYS_RESOURCE",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_BOOT",
    "SYS_TIME",
    "SYSLOG",
    "BPF",
    "PERFMON",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
];

/// Key rings, which `su` and `login` make; they are counted per user.
const ALSO_ALLOWED: [&str; 3] = ["add_key", "keyctl", "request_key"];

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;
const EAFNOSUPPORT: i32 = 97;

/// Calls that behave as if the kernel did not have them: programs then take another way.
const ABSENT: [&str; 4] = [
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "userfaultfd",
];

/// Calls that the machine's capabilities would allow.
const REFUSED: [&str; 15] = [
    "acct",
    "adjtimex",
    "bpf",
    "clock_adjtime",
    "lookup_dcookie",
    "mbind",
    "migrate_pages",
    "move_pages",
    "open_by_handle_at",
    "perf_event_open",
    "quotactl",
    "quotactl_fd",
    "set_mempolicy",
    "syslog",
    "vhangup",
];

/// Calls that are refused for some arguments: which argument, mask, value, errno.
const BY_ARGUMENT: [(&str, u32, u64, u64, i32); 9] = [
    // Crypto sockets; sockets to the host of a virtual machine, which no namespace separates.
    ("socket", 0, LOW, 38, EAFNOSUPPORT),
    ("socket", 0, LOW, 40, EAFNOSUPPORT),
    ("socketpair", 0, LOW, 38, EAFNOSUPPORT),
    ("socketpair", 0, LOW, 40, EAFNOSUPPORT),
    // TIOCSTI types into a terminal, TIOCLINUX into the console.
    ("ioctl", 1, LOW, 0x5412, EPERM),
    ("ioctl", 1, LOW, 0x541C, EPERM),
    // fanotify with file handles: FAN_REPORT_FID, FAN_REPORT_DIR_FID, FAN_REPORT_NAME.
    ("fanotify_init", 0, 0x200, 0x200, EPERM),
    ("fanotify_init", 0, 0x400, 0x400, EPERM),
    ("fanotify_init", 0, 0x800, 0x800, EPERM),
];

/// The kernel looks at the low 32 bits of these arguments.
const LOW: u64 = 0xffff_ffff;

/// What of `set` a machine keeps.
pub(crate) fn permitted(set: Set) -> Set {
    let refused = REFUSED_CAPABILITIES
        .iter()
        .filter_map(|name| Set::of(name))
        .fold(Set::default(), Set::with);
    set.without(refused)
}

/// Loads the filter for this process and all that it will start.
pub(crate) fn load(whose: Whose) -> Result<(), FilterError> {
    let allowed = seccomp::allow_list(permitted(Set(u64::MAX)), &ALSO_ALLOWED)?;
    let refused = refused(whose)?;
    kernel::seccomp::load(&allowed)?;
    Ok(kernel::seccomp::load(&refused)?)
}

fn refused(whose: Whose) -> Result<Vec<u8>, FilterError> {
    let mut filter = ScmpFilterContext::new(ScmpAction::Allow).map_err(FilterError::Build)?;
    // Calls of other instruction sets (32 bits, x32) would be other numbers.
    filter
        .set_act_badarch(ScmpAction::Errno(ENOSYS))
        .map_err(FilterError::Build)?;
    if whose == Whose::Containers && ScmpArch::native() == ScmpArch::X8664 {
        filter.add_arch(ScmpArch::X86).map_err(FilterError::Build)?;
    }
    for name in ABSENT {
        rule(&mut filter, name, ENOSYS, &[])?;
    }
    for name in REFUSED {
        rule(&mut filter, name, EPERM, &[])?;
    }
    for (name, argument, mask, value, errno) in BY_ARGUMENT {
        let compare = ScmpArgCompare::new(argument, ScmpCompareOp::MaskedEqual(mask), value);
        rule(&mut filter, name, errno, &[compare])?;
    }
    let memory = kernel::fs::memfd(c"filter")?;
    filter.export_bpf(&memory).map_err(FilterError::Build)?;
    let mut file = File::from(memory);
    let mut program = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut program))
        .map_err(FilterError::Read)?;
    Ok(program)
}

fn rule(
    filter: &mut ScmpFilterContext,
    name: &str,
    errno: i32,
    compare: &[ScmpArgCompare],
) -> Result<(), FilterError> {
    // A name that this architecture or this library does not have cannot be called by it.
    let Ok(call) = ScmpSyscall::from_name(name) else {
        return Ok(());
    };
    let added = filter.add_rule_conditional(ScmpAction::Errno(errno), call, compare);
    added.map(drop).map_err(|source| FilterError::Rule {
        call: name.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_filters_compile() {
        for whose in [Whose::Shells, Whose::Containers] {
            let program = refused(whose).unwrap();
            assert!(
                !program.is_empty() && program.len().is_multiple_of(kernel::seccomp::INSTRUCTION)
            );
        }
    }

    #[test]
    fn every_name_means_something_here() {
        for name in ABSENT.iter().chain(&REFUSED).chain(&ALSO_ALLOWED) {
            assert!(ScmpSyscall::from_name(name).is_ok(), "{name}");
        }
        for name in REFUSED_CAPABILITIES {
            assert!(Set::of(name).is_some(), "{name}");
        }
    }
}

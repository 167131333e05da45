//! The system call filter of a machine: everything that nested containers and exercises need is
//! allowed; what only enlarges the kernel's surface is refused. Containers get the engine's
//! stricter filter besides.

use libseccomp::error::SeccompError;
use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error("the filter cannot be built")]
    Build(#[source] SeccompError),
    #[error("the rule for {call} cannot be built")]
    Rule { call: String, source: SeccompError },
    #[error("the kernel refuses the filter")]
    Load(#[source] SeccompError),
}

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;
const EAFNOSUPPORT: i32 = 97;

/// Calls that behave as if the kernel did not have them: programs then take another way.
const ABSENT: [&str; 4] = [
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "userfaultfd",
];

/// Calls that are refused.
const REFUSED: [&str; 41] = [
    "acct",
    "adjtimex",
    "afs_syscall",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "finit_module",
    "get_kernel_syms",
    "init_module",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "lookup_dcookie",
    "lsm_set_self_attr",
    "mbind",
    "migrate_pages",
    "move_pages",
    "nfsservctl",
    "open_by_handle_at",
    "pciconfig_iobase",
    "perf_event_open",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "security",
    "set_mempolicy",
    "set_mempolicy_home_node",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "uselib",
    "ustat",
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

/// Loads the filter for this process and all that it will start.
pub(super) fn load() -> Result<(), FilterError> {
    build()?.load().map_err(FilterError::Load)
}

fn build() -> Result<ScmpFilterContext, FilterError> {
    let mut filter = ScmpFilterContext::new(ScmpAction::Allow).map_err(FilterError::Build)?;
    filter
        // Set-user-id programs such as `su` shall work: this process has SYS_ADMIN instead.
        .set_ctl_nnp(false)
        // Calls of other instruction sets (32 bits, x32) would be other numbers.
        .and_then(|f| f.set_act_badarch(ScmpAction::Errno(ENOSYS)))
        .map_err(FilterError::Build)?;
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
    Ok(filter)
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
    fn the_filter_compiles() {
        let memory = kernel::fs::memfd(c"filter").unwrap();
        build().unwrap().export_bpf(&memory).unwrap();
        let length = std::fs::File::from(memory).metadata().unwrap().len();
        assert!(length > 0 && length % 8 == 0);
    }

    #[test]
    fn the_dangerous_calls_have_names_here() {
        for name in ABSENT
            .iter()
            .chain(&["bpf", "kexec_load", "open_by_handle_at", "reboot"])
        {
            assert!(ScmpSyscall::from_name(name).is_ok(), "{name}");
        }
    }
}

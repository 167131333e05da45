//! `/proc/PID/status`; see proc_pid_status(5).

/// What is read of `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Pids from the reader's pid namespace inwards.
    pub pids: Vec<i32>,
    /// Effective user, in the reader's user namespace.
    pub uid: u32,
    /// Effective group, in the reader's user namespace.
    pub gid: u32,
    /// Inheritable, permitted, effective, bounding and ambient sets, one bit per capability.
    pub capabilities: CapabilitySets,
    /// `no_new_privs`.
    pub no_new_privs: u32,
    /// 0 off, 1 strict, 2 filter.
    pub seccomp: u32,
    /// Threads.
    pub threads: u32,
}

/// The five sets of capabilities; see capabilities(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilitySets {
    /// `CapInh`.
    pub inheritable: u64,
    /// `CapPrm`.
    pub permitted: u64,
    /// `CapEff`.
    pub effective: u64,
    /// `CapBnd`.
    pub bounding: u64,
    /// `CapAmb`.
    pub ambient: u64,
}

/// Parses `status`: `Key:\tvalue` lines. The kernel escapes newlines in `Name`, so a name cannot
/// forge another line; the first of two equal keys would win anyway.
pub fn parse(text: &[u8]) -> Option<Status> {
    let text = String::from_utf8_lossy(text);
    let value = |key: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))
            .map(str::trim)
    };
    // Four ids: real, effective, saved, file system.
    let effective = |key| value(key)?.split_ascii_whitespace().nth(1)?.parse().ok();
    let set = |key| u64::from_str_radix(value(key)?, 16).ok();
    let number = |key| value(key).and_then(|v| v.parse().ok());
    Some(Status {
        pids: value("NSpid")?
            .split_ascii_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?,
        uid: effective("Uid")?,
        gid: effective("Gid")?,
        capabilities: CapabilitySets {
            inheritable: set("CapInh")?,
            permitted: set("CapPrm")?,
            effective: set("CapEff")?,
            bounding: set("CapBnd")?,
            ambient: set("CapAmb")?,
        },
        no_new_privs: number("NoNewPrivs").unwrap_or(0),
        seccomp: number("Seccomp").unwrap_or(0),
        threads: number("Threads").unwrap_or(1),
    })
}

/// The names of a set of capabilities, lower case, in the kernel's order: `cap_chown` …
pub fn capability_names(set: u64) -> Vec<String> {
    let mut held: Vec<caps::Capability> = caps::all()
        .into_iter()
        .filter(|c| set & c.bitmask() != 0)
        .collect();
    held.sort_by_key(caps::Capability::index);
    held.iter().map(|c| c.to_string().to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"Name:\tsh\\nUid:\t0\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t312\nPid:\t312\nPPid:\t300\nUid:\t1000\t1001\t1002\t1003\nGid:\t0\t5\t0\t0\nNStgid:\t312\t12\t1\nNSpid:\t312\t12\t1\nThreads:\t1\nCapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t0000000000002001\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";

    #[test]
    fn ids_pids_and_capabilities_are_read() {
        let status = parse(TEXT).unwrap();
        assert_eq!(status.pids, [312, 12, 1]);
        assert_eq!((status.uid, status.gid), (1001, 5));
        assert_eq!((status.no_new_privs, status.seccomp), (1, 2));
        let names = capability_names(status.capabilities.effective);
        assert_eq!(names, ["cap_chown", "cap_net_raw"]);
        assert_eq!(capability_names(status.capabilities.bounding).len(), 14);
    }

    #[test]
    fn a_text_without_its_lines_is_refused() {
        assert_eq!(parse(b"Name:\tsh\n"), None);
    }
}

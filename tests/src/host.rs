//! What this host offers to tests that need the real kernel.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Something that a test needs and that a host may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// User id 0.
    Root,
    /// Real capabilities over the whole machine, as in the first user namespace.
    InitialUserNamespace,
    /// The unified hierarchy alone, with its controllers.
    CgroupV2,
    /// Controllers mounted each on its own hierarchy.
    CgroupV1,
    /// AppArmor as an active security module.
    AppArmor,
    /// Overlay file systems.
    Overlay,
    /// Loop devices.
    Loop,
    /// The netfilter tables that NAT needs, for nft.
    Nftables,
}

impl Need {
    /// `None` when the host offers it, else what is missing.
    pub fn missing(self) -> Option<String> {
        let (present, reason) = match self {
            Self::Root => (is_root(), "needs root"),
            Self::InitialUserNamespace => (
                is_root()
                    && read("/proc/self/uid_map")
                        .split_whitespace()
                        .eq(["0", "0", "4294967295"]),
                "needs the initial user namespace",
            ),
            Self::CgroupV2 => (
                read("/sys/fs/cgroup/cgroup.controllers").contains("memory"),
                "needs the cgroup v2 controllers on /sys/fs/cgroup",
            ),
            Self::CgroupV1 => (
                Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists(),
                "needs the cgroup v1 controllers",
            ),
            Self::AppArmor => (
                read("/sys/module/apparmor/parameters/enabled").starts_with('Y'),
                "needs AppArmor",
            ),
            Self::Overlay => (
                read("/proc/filesystems")
                    .lines()
                    .any(|line| line.ends_with("\toverlay"))
                    || module("overlay"),
                "needs overlayfs",
            ),
            Self::Loop => (
                Path::new("/dev/loop-control").exists(),
                "needs loop devices",
            ),
            Self::Nftables => (
                Path::new("/proc/sys/net/netfilter").exists() || module("nf_tables"),
                "needs nf_tables",
            ),
        };
        (!present).then(|| reason.to_owned())
    }
}

/// The first of `needs` that this host lacks. Use it through [`skip!`](crate::skip).
///
/// With `KERNEL_TESTS=required` a missing feature is a failure: for hosts that are known to have them all.
#[track_caller]
pub fn lacks(test: &str, needs: &[Need]) -> bool {
    let Some(reason) = needs.iter().find_map(|need| need.missing()) else {
        return false;
    };
    report(test, &reason);
    true
}

/// Says that `test` is not run here. The line is what `script/test` counts.
#[track_caller]
pub fn report(test: &str, reason: &str) {
    assert!(
        std::env::var_os("KERNEL_TESTS").as_deref() != Some(OsStr::new("required")),
        "{test} cannot run here: {reason}"
    );
    // Not `eprintln!`: the test harness would keep it to itself. One write, so that lines do not mix.
    let line = format!("SKIP {test}: {reason}\n");
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Leaves the test when the host lacks one of the needs, with a printed reason.
#[macro_export]
macro_rules! skip {
    ($test:expr, unless: $($need:ident),+ $(,)?) => {
        if $crate::host::lacks($test, &[$($crate::host::Need::$need),+]) {
            return;
        }
    };
}

/// How much slower than a real machine this one is: `$QUAI_TEST_SLOWNESS`, for emulated processors.
///
/// Bounds on time are multiplied by it.
pub fn slowness() -> u32 {
    std::env::var("QUAI_TEST_SLOWNESS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

fn is_root() -> bool {
    read("/proc/self/status")
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .and_then(|ids| ids.split_whitespace().nth(1))
        == Some("0")
}

/// Whether the running kernel has the module loaded or can load it.
fn module(name: &str) -> bool {
    let release = read("/proc/sys/kernel/osrelease");
    let index = read(&format!("/lib/modules/{}/modules.dep", release.trim()));
    Path::new("/sys/module").join(name).exists()
        || index
            .lines()
            .filter_map(|line| line.split(':').next())
            .any(|path| path.contains(&format!("/{name}.ko")))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

//! AppArmor: whether this kernel confines by it, and the profile of the next program; see
//! apparmor(7) and the kernel's `Documentation/admin-guide/LSM/apparmor.rst`.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::error::SysError;
use crate::fs::Access;
use crate::procfs;

/// Whether this kernel has AppArmor and uses it.
pub fn enabled() -> bool {
    std::fs::read_to_string("/sys/module/apparmor/parameters/enabled")
        .is_ok_and(|text| text.starts_with('Y'))
}

/// The names of the profiles that are loaded; `None` when this process may not know.
pub fn loaded() -> Option<Vec<String>> {
    let text = std::fs::read_to_string("/sys/kernel/security/apparmor/profiles").ok()?;
    let name = |line: &str| Some(line.rsplit_once(" (")?.0.to_owned());
    Some(text.lines().filter_map(name).collect())
}

/// The file through which this very process names the profile of its next program.
///
/// Opened while a `/proc` can be trusted; only the process that opened it may write it.
pub fn next_profile_file() -> Result<OwnedFd, SysError> {
    procfs::open_own(Path::new("attr/apparmor/exec"), Access::Write)
        .or_else(|_| procfs::open_own(Path::new("attr/exec"), Access::Write))
}

/// Has the next execve(2) of this process confine it by `profile`.
pub fn change_on_exec(file: OwnedFd, profile: &str) -> Result<(), SysError> {
    File::from(file)
        .write_all(format!("exec {profile}").as_bytes())
        .map_err(|e| SysError::io("write", e).on(format!("apparmor profile {profile}")))
}

//! The AppArmor profile of containers: its text, its loading, and which one a process gets.
//!
//! The profile says again, in the kernel's other language, what masks, capabilities and the filter
//! say already: what one of them forgets another still refuses.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use kernel::apparmor;

use super::request::{AppArmorSpec, CapabilitySpec, ProcessSpec};

/// The name under which Docker's users know the profile of a container that asks for none.
pub const USUAL: &str = "docker-default";

/// Files of `/proc` and `/sys` that no container writes, whatever its capabilities.
const UNWRITABLE: [&str; 12] = [
    "/proc/sys/kernel/{?,??,[^s][^h][^m]**}",
    "/proc/sysrq-trigger",
    "/proc/kcore",
    "/proc/mem",
    "/proc/kmem",
    "/proc/fs/**",
    "/proc/bus/**",
    "/proc/irq/**",
    "/proc/acpi/**",
    "/sys/firmware/**",
    "/sys/kernel/**",
    "/sys/module/**",
];

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The kernel does not confine by AppArmor.
    #[error("AppArmor profile {0:?}: this kernel does not confine by AppArmor")]
    Absent(String),
    /// It is not among those loaded.
    #[error("AppArmor profile {0:?} is not loaded")]
    Unknown(String),
}

/// The text of the usual profile, as apparmor.d(5) describes it.
// ANCHOR: usual-profile
pub fn text() -> String {
    let denied: String = UNWRITABLE
        .iter()
        .map(|path| format!("  deny {path} wklx,\n"))
        .collect();
    format!(
        "profile {USUAL} flags=(attach_disconnected,mediate_deleted) {{\n\
         \x20 # Rights, sockets and files are a matter of capabilities, namespaces and mounts.\n\
         \x20 capability,\n\
         \x20 network,\n\
         \x20 file,\n\
         \x20 umount,\n\
         \x20 # What mounts could also unmask.\n\
         \x20 deny mount,\n\
         \x20 # Signals and tracing stay among containers; the engine may signal them.\n\
         \x20 signal (receive) peer=unconfined,\n\
         \x20 signal (send,receive) peer={USUAL},\n\
         \x20 ptrace (trace,read,tracedby,readby) peer={USUAL},\n\
         {denied}}}\n"
    )
}
// ANCHOR_END: usual-profile

/// The profile of a process; `None` for no confinement.
///
/// Where the usual one cannot be loaded, as in a learner's machine, the other walls stand alone.
pub(crate) fn resolve(spec: &ProcessSpec) -> Result<Option<String>, ProfileError> {
    match &spec.apparmor {
        AppArmorSpec::Unconfined => Ok(None),
        AppArmorSpec::Named(name) if !apparmor::enabled() => {
            Err(ProfileError::Absent(name.clone()))
        }
        AppArmorSpec::Named(name) if name == USUAL => Ok(usual().then(|| name.clone())),
        AppArmorSpec::Named(name) => match apparmor::loaded() {
            Some(all) if !all.contains(name) => Err(ProfileError::Unknown(name.clone())),
            _ => Ok(Some(name.clone())),
        },
        AppArmorSpec::Usual if spec.capabilities == CapabilitySpec::All => Ok(None),
        AppArmorSpec::Usual => Ok(usual().then(|| USUAL.to_owned())),
    }
}

/// Whether containers are confined by the usual profile; it is loaded at the first question.
pub fn usual() -> bool {
    static READY: OnceLock<bool> = OnceLock::new();
    *READY.get_or_init(|| {
        if !apparmor::enabled() {
            return false;
        }
        // Another engine's profile of this name serves as well, and its containers rely on it.
        if apparmor::loaded().is_some_and(|all| all.iter().any(|name| name == USUAL)) {
            return true;
        }
        match load(&text()) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "containers are not confined by AppArmor");
                false
            }
        }
    })
}

/// Loads a profile with AppArmor's own compiler.
fn load(text: &str) -> io::Result<()> {
    let mut parser = Command::new("apparmor_parser")
        .args(["--skip-cache", "--replace"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = parser.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let output = parser.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("apparmor_parser: {words}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_denies_what_masks_hide() {
        let text = text();
        assert!(text.starts_with("profile docker-default "));
        assert!(text.contains("deny mount,"));
        assert!(text.contains("deny /proc/sysrq-trigger wklx,"));
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }

    #[test]
    fn privileged_and_unconfined_processes_have_none() {
        let mut spec = ProcessSpec {
            capabilities: CapabilitySpec::All,
            ..ProcessSpec::default()
        };
        assert!(matches!(resolve(&spec), Ok(None)));
        spec.apparmor = AppArmorSpec::Unconfined;
        spec.capabilities = CapabilitySpec::default();
        assert!(matches!(resolve(&spec), Ok(None)));
    }
}

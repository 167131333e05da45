//! What the learner's root may not do although it is root.

use kernel::capability::{self, Set};
use kernel::error::SysError;

use super::filter::{self, FilterError};

/// Why programs cannot be confined.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfineError {
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error(transparent)]
    Filter(#[from] FilterError),
}

/// Capabilities that neither an exercise nor a nested engine needs. Without `SYS_RESOURCE` nobody
/// in the machine can raise the limits that stand in `user.max_*`.
const REFUSED: [&str; 15] = [
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

/// Confines this process and every program that it will start.
pub(super) fn confine() -> Result<(), ConfineError> {
    let refused = REFUSED
        .iter()
        .filter_map(|name| Set::of(name))
        .fold(Set::default(), Set::with);
    capability::limit_bounding(capability::bounding()?.without(refused))?;
    Ok(filter::load()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_capability_has_a_bit() {
        assert!(REFUSED.iter().all(|name| Set::of(name).is_some()));
    }
}

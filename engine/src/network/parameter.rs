//! Kernel parameters below `/proc/sys/net`: those of the namespace of the thread that opens the file.

use std::io::ErrorKind;

use kernel::error::SysError;

use super::{NetworkError, step};

/// Sets a parameter, unless it has the value.
pub(super) fn set(name: &str, value: &str) -> Result<(), NetworkError> {
    write(name, value).map_err(step(format!("set {name}")))
}

/// Sets a parameter where the kernel has it: one without IPv6 has none of IPv6.
pub(super) fn set_if_present(name: &str, value: &str) -> Result<(), NetworkError> {
    match write(name, value) {
        Err(error) if error.source.kind() == ErrorKind::NotFound => Ok(()),
        other => other.map_err(step(format!("set {name}"))),
    }
}

fn write(name: &str, value: &str) -> Result<(), SysError> {
    let path = format!("/proc/sys/{name}");
    if std::fs::read_to_string(&path).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    std::fs::write(&path, value).map_err(|e| SysError::io("write", e).on(path))
}

//! Which namespaces a process shares with the machine, and the name it has in its own.

use kernel::procfs::NamespaceKind;
use kernel::visit;

use super::bounds::{list, text};
use super::{ProbeError, ProcessProbe};
use crate::exercise::Value;

/// The kinds in which the process differs from the machine, in alphabetical order.
pub(super) fn private(probe: &ProcessProbe<'_>) -> Result<Value, ProbeError> {
    let mut kinds = Vec::new();
    for kind in NamespaceKind::ALL {
        if probe.process.namespace(kind)? != probe.machine.namespace(kind)? {
            kinds.push(Value::Text(kind.name().into()));
        }
    }
    Ok(list(kinds))
}

/// The node name in the process's UTS namespace.
pub(super) fn hostname(probe: &ProcessProbe<'_>) -> Result<Value, ProbeError> {
    use std::os::fd::AsFd;
    let ns = probe.process.open_namespace(NamespaceKind::Uts)?;
    Ok(text(&visit::hostname(ns.as_fd())?))
}

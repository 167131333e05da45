//! System V objects of the IPC namespace of a process; see sysvipc(7).

use std::os::fd::AsFd;

use kernel::procfs::NamespaceKind;
use kernel::visit;

use super::bounds::{int, list};
use super::{ProbeError, ProcessProbe};
use crate::exercise::Value;
use crate::fact::{IpcField, IpcTable};

/// Reads one table.
pub(super) fn read(
    probe: &ProcessProbe<'_>,
    table: IpcTable,
    field: IpcField,
) -> Result<Value, ProbeError> {
    let ns = probe.process.open_namespace(NamespaceKind::Ipc)?;
    let objects = visit::sysv_objects(ns.as_fd(), table.table())?;
    Ok(match field {
        IpcField::Count => int(objects.len()),
        IpcField::Keys => list(
            objects
                .iter()
                .map(|o| Value::Text(format!("{:#010x}", o.key))),
        ),
        IpcField::Sizes => list(objects.iter().map(|o| int(o.size))),
    })
}

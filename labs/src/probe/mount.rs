//! Mounts that a process sees; see mount_namespaces(7).

use std::os::fd::AsFd;
use std::path::Path;

use kernel::beneath::{self, Last};
use kernel::procfs::{MountInfo, namespace};

use super::bounds::{int, list, text};
use super::{ProbeError, ProcessProbe};
use crate::exercise::Value;
use crate::fact::MountField;

/// Every mount point, in the kernel's order.
pub(super) fn points(probe: &ProcessProbe<'_>) -> Result<Value, ProbeError> {
    let mounts = probe.process.mountinfo()?;
    Ok(list(mounts.iter().map(|m| text(&m.mount_point))))
}

/// One field of the topmost mount at `point`.
pub(super) fn read(
    probe: &ProcessProbe<'_>,
    point: &str,
    field: MountField,
) -> Result<Option<Value>, ProbeError> {
    let mounts = probe.process.mountinfo()?;
    // A later mount at the same place hides the earlier one.
    let topmost = mounts.iter().rfind(|m| m.mount_point == point.as_bytes());
    Ok(topmost.and_then(|m| value(m, field)))
}

/// Where the file system that is the machine's root is mounted whole.
pub(super) fn old_root(probe: &ProcessProbe<'_>) -> Result<Option<Value>, ProbeError> {
    let machine = probe.machine.init().mountinfo()?;
    let Some(root) = machine.iter().rfind(|m| m.mount_point == b"/") else {
        return Ok(None);
    };
    let mounts = probe.process.mountinfo()?;
    let whole = |m: &&MountInfo| m.device == root.device && m.root == root.root;
    Ok(mounts.iter().find(whole).map(|m| text(&m.mount_point)))
}

/// The pid namespace shown by the procfs on the process's `/proc`.
///
/// The first process of that namespace tells: its own link is read through that very procfs.
pub(super) fn proc_namespace(probe: &ProcessProbe<'_>) -> Result<Option<Value>, ProbeError> {
    let root = probe.process.root()?;
    let Some(proc) = beneath::find(root.as_fd(), Path::new("/proc"), Last::Itself)? else {
        return Ok(None);
    };
    if !proc.is_procfs()? {
        return Ok(None);
    }
    let link = proc.link("1/ns/pid")?;
    Ok(link.and_then(|l| namespace::inode(&l)).map(int))
}

fn value(mount: &MountInfo, field: MountField) -> Option<Value> {
    Some(match field {
        MountField::Point => text(&mount.mount_point),
        MountField::FsType => text(&mount.fs_type),
        MountField::Source => text(&mount.source),
        MountField::Root => text(&mount.root),
        MountField::Options => list(mount.options.split(|b| *b == b',').map(text)),
        MountField::Propagation => Value::Text(propagation(mount).into()),
        MountField::PeerGroup => int(mount.peer_group?),
        MountField::Master => int(mount.master?),
        MountField::Dev => Value::Text(mount.device.clone()),
    })
}

fn propagation(mount: &MountInfo) -> &'static str {
    match (mount.peer_group, mount.master) {
        (Some(_), Some(_)) => "shared,slave",
        (Some(_), None) => "shared",
        (None, Some(_)) => "slave",
        (None, None) if mount.unbindable => "unbindable",
        (None, None) => "private",
    }
}

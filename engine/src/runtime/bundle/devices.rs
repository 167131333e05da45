//! Device nodes of a bundle, and those every container has.

use super::BundleError;
use crate::oci::runtime_spec::{LinuxDevice, LinuxDeviceType};
use crate::runtime::devices::USUAL;
use crate::runtime::mounts::{Node, NodeKind};

/// The nodes to make: the usual ones, unless the bundle has its own of that name, then the rest.
pub(super) fn nodes(devices: &[LinuxDevice]) -> Result<Vec<Node>, BundleError> {
    let own = devices.iter().map(node).collect::<Result<Vec<_>, _>>()?;
    let usual = USUAL.iter().map(|device| Node {
        path: format!("/dev/{}", device.name),
        kind: NodeKind::Char(device.numbers.0, device.numbers.1),
        mode: 0o666,
        owner: (0, 0),
    });
    let mut nodes: Vec<Node> = usual
        .filter(|node| own.iter().all(|other| other.path != node.path))
        .collect();
    nodes.extend(own);
    Ok(nodes)
}

fn node(device: &LinuxDevice) -> Result<Node, BundleError> {
    let path = device.path().to_string_lossy().into_owned();
    let number = |n: i64| {
        u32::try_from(n).map_err(|_| BundleError::Invalid {
            what: "device number",
            value: format!("{n} of {path}"),
        })
    };
    let kind = match device.typ() {
        LinuxDeviceType::C | LinuxDeviceType::U => {
            NodeKind::Char(number(device.major())?, number(device.minor())?)
        }
        LinuxDeviceType::B => NodeKind::Block(number(device.major())?, number(device.minor())?),
        LinuxDeviceType::P => NodeKind::Fifo,
        LinuxDeviceType::A => {
            return Err(BundleError::Invalid {
                what: "device type",
                value: format!("a of {path}"),
            });
        }
    };
    Ok(Node {
        path: super::mounts::destination(device.path())?,
        kind,
        mode: device.file_mode().unwrap_or(0o666) & 0o7777,
        owner: (device.uid().unwrap_or(0), device.gid().unwrap_or(0)),
    })
}

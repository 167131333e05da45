//! Limits of block devices: the paths that clients name become the numbers that control groups know.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kernel::tree::{Tree, clean};

use crate::api::types::{HostConfig, ThrottleDevice};
use crate::runtime::request::{DeviceNumber, RareResources};

use super::{Daemon, DaemonError};

impl Daemon {
    /// What a container may take of each device.
    pub(crate) fn block_limits(&self, host: &HostConfig) -> Result<RareResources, DaemonError> {
        let rates = |devices: &Option<Vec<ThrottleDevice>>| {
            let devices = devices.iter().flatten();
            devices
                .map(|device| self.numbered(&device.path, device.rate))
                .collect::<Result<Vec<_>, _>>()
        };
        let weights = host.blkio_weight_device.iter().flatten();
        Ok(RareResources {
            blkio_weight_device: weights
                .map(|device| self.numbered(&device.path, device.weight.into()))
                .collect::<Result<_, _>>()?,
            blkio_read_bps: rates(&host.blkio_device_read_bps)?,
            blkio_write_bps: rates(&host.blkio_device_write_bps)?,
            blkio_read_iops: rates(&host.blkio_device_read_iops)?,
            blkio_write_iops: rates(&host.blkio_device_write_iops)?,
            ..RareResources::default()
        })
    }

    fn numbered(&self, path: &str, number: u64) -> Result<DeviceNumber, DaemonError> {
        let wrong = |why: String| DaemonError::Refused(format!("{path}: {why}"));
        let file = Tree::open(&self.machine_root())?
            .follow(&clean(Path::new(path)))
            .map_err(|error| wrong(error.source.to_string()))?;
        let metadata = std::fs::File::from(file)
            .metadata()
            .map_err(|error| wrong(error.to_string()))?;
        let (major, minor) = kernel::fs::device_numbers(metadata.rdev());
        Ok(DeviceNumber {
            major,
            minor,
            number,
        })
    }
}

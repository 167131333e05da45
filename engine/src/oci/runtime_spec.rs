//! `config.json` of a bundle; see the OCI runtime specification.
//!
//! The types are `oci-spec`'s. Properties that the specification does not know are ignored, as it
//! demands ("Extensibility"); those it knows and this runtime cannot honour are refused by
//! `runtime/bundle`.

use std::io;
use std::path::{Path, PathBuf};

pub use oci_spec::runtime::{
    Arch, Hook, IOPriorityClass, LinuxBlockIo, LinuxCapabilities, LinuxCpu, LinuxDevice,
    LinuxDeviceCgroup, LinuxDeviceType, LinuxIdMapping, LinuxMemory, LinuxNamespaceType,
    LinuxPersonalityDomain, LinuxPids, LinuxResources, LinuxSchedulerFlag, LinuxSchedulerPolicy,
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag,
    LinuxSeccompOperator, LinuxThrottleDevice, LinuxWeightDevice, Mount, PosixRlimit, Process,
    Spec,
};

/// The newest version of the specification this runtime follows.
pub const VERSION: &str = "1.2.0";

/// A document that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not there.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no such document.
    #[error("{path} is not valid: {source}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// Why and where.
        source: serde_json::Error,
    },
}

/// Reads the `config.json` of a bundle.
pub fn load(bundle: &Path) -> Result<Spec, ConfigError> {
    load_document(&bundle.join("config.json"))
}

/// Reads any document of the specification.
pub fn load_document<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let bytes = std::fs::read(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|source| ConfigError::Parse {
        path: path.to_owned(),
        source,
    })
}

//! What a service says beside its container: devices it is lent, commands around its life, files that are watched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A device of the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Device {
    pub source: String,
    pub target: Option<String>,
    pub permissions: Option<String>,
}

/// Devices that a driver chooses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Gpu {
    pub capabilities: Vec<String>,
    pub count: Option<Value>,
    pub device_ids: Vec<String>,
    pub driver: Option<String>,
    pub options: BTreeMap<String, Option<String>>,
}

/// A command in the container, after its start or before its stop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Hook {
    pub command: Vec<String>,
    pub user: Option<String>,
    pub privileged: bool,
    pub working_dir: Option<String>,
    pub environment: BTreeMap<String, Option<String>>,
    pub per_replica: Option<bool>,
}

/// What `watch` looks at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Develop {
    pub watch: Vec<Trigger>,
}

/// What is done when files below a path change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Trigger {
    pub path: String,
    pub action: Action,
    pub target: Option<String>,
    pub ignore: Vec<String>,
    pub include: Vec<String>,
    pub initial_sync: bool,
    pub exec: Option<Hook>,
}

/// What a change leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The image is built again, the containers are replaced.
    #[default]
    #[serde(rename = "rebuild")]
    Rebuild,
    /// The file is copied into the containers.
    #[serde(rename = "sync")]
    Sync,
    /// The containers are started again.
    #[serde(rename = "restart")]
    Restart,
    /// Copied, then started again.
    #[serde(rename = "sync+restart")]
    SyncRestart,
    /// Copied, then a command runs in the containers.
    #[serde(rename = "sync+exec")]
    SyncExec,
}

impl Action {
    /// Whether files are copied into the containers.
    pub fn syncs(self) -> bool {
        matches!(self, Self::Sync | Self::SyncRestart | Self::SyncExec)
    }
}

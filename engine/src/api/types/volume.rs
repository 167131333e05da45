//! Volumes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A volume, as listed and inspected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Volume {
    /// RFC 3339.
    pub created_at: String,
    /// `local`.
    pub driver: String,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Where its files are.
    pub mountpoint: String,
    /// Name.
    pub name: String,
    /// Driver options.
    pub options: Option<BTreeMap<String, String>>,
    /// `local`.
    pub scope: String,
    /// Size and use, in `GET /system/df`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_data: Option<VolumeUsage>,
}

/// Size and use of a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeUsage {
    /// Containers that use it.
    pub ref_count: i64,
    /// Bytes.
    pub size: i64,
}

/// Answer of `GET /volumes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeList {
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Problems on the way.
    pub warnings: Option<Vec<String>>,
}

/// Body of `POST /volumes/create`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateVolume {
    /// Name; a random one when empty.
    pub name: String,
    /// `local`.
    pub driver: String,
    /// Driver options.
    pub driver_opts: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

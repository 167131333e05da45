//! Images.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ContainerConfig, GraphDriver};
use crate::oci::{Digest, Platform};

/// One line of `GET /images/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageSummary {
    /// Containers that use it; -1 when not counted.
    pub containers: i64,
    /// Seconds since 1970.
    pub created: i64,
    /// Image id.
    pub id: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Parent of a locally built image.
    pub parent_id: String,
    /// `name@sha256:…`.
    pub repo_digests: Vec<String>,
    /// `name:tag`.
    pub repo_tags: Vec<String>,
    /// Bytes shared with other images; -1 when not counted.
    pub shared_size: i64,
    /// Bytes.
    pub size: i64,
}

/// Answer of `GET /images/{name}/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageInspect {
    /// Image id.
    pub id: String,
    /// `name:tag`.
    pub repo_tags: Vec<String>,
    /// `name@sha256:…`.
    pub repo_digests: Vec<String>,
    /// Parent of a locally built image.
    pub parent: String,
    /// Comment.
    pub comment: String,
    /// RFC 3339.
    pub created: String,
    /// Container it was committed from.
    pub container: String,
    /// Configuration of that container; old clients read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_config: Option<ContainerConfig>,
    /// Version that made it.
    pub docker_version: String,
    /// Author.
    pub author: String,
    /// What a container of it runs.
    pub config: ContainerConfig,
    /// `amd64` …
    pub architecture: String,
    /// `v8` …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// `linux`.
    pub os: String,
    /// Bytes.
    pub size: i64,
    /// Bytes, for clients before 1.44.
    pub virtual_size: i64,
    /// Storage.
    pub graph_driver: GraphDriver,
    /// Diff ids.
    #[serde(rename = "RootFS")]
    pub root_fs: RootFs,
    /// Times the engine keeps.
    pub metadata: ImageMetadata,
}

/// The layers of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Diff ids, lowest first.
    pub layers: Vec<String>,
}

/// Times the engine keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageMetadata {
    /// RFC 3339.
    pub last_tag_time: String,
}

/// One line of `GET /images/{name}/history`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HistoryEntry {
    /// Image id or `<missing>`.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Command that made it.
    pub created_by: String,
    /// Names of that image.
    pub tags: Option<Vec<String>>,
    /// Bytes the step added.
    pub size: i64,
    /// Comment.
    pub comment: String,
}

/// One line of the answer of `DELETE /images/{name}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageDeleted {
    /// A name that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untagged: Option<String>,
    /// An image or layer that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
}

/// Answer of `GET /distribution/{name}/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DistributionInspect {
    /// The document that the name leads to.
    pub descriptor: DistributionDescriptor,
    /// What the image is for.
    pub platforms: Vec<Platform>,
}

/// A document of a registry. Its keys are camel case in Docker's API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DistributionDescriptor {
    /// What it is.
    pub media_type: String,
    /// Its name.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
}

impl DistributionInspect {
    /// An answer out of what a registry said.
    pub fn new(media_type: &str, digest: &Digest, size: u64, platforms: Vec<Platform>) -> Self {
        Self {
            descriptor: DistributionDescriptor {
                media_type: media_type.to_owned(),
                digest: digest.to_string(),
                size,
            },
            platforms,
        }
    }
}

/// One line of `GET /images/search`. Its keys are lower case in Docker's API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchResult {
    /// Description.
    pub description: String,
    /// Always false now.
    pub is_official: bool,
    /// Always false now.
    pub is_automated: bool,
    /// Name.
    pub name: String,
    /// Stars.
    pub star_count: i64,
}

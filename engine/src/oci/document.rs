//! What a registry answers to a name: a manifest, or an index of manifests for several platforms.
//!
//! Docker's own media types (schema 2) and those of the OCI image specification carry the same fields.

use serde::{Deserialize, Serialize};

use super::{Digest, ImageManifest, Platform};

/// `application/vnd.oci.image.manifest.v1+json`
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// `application/vnd.oci.image.index.v1+json`
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// `application/vnd.docker.distribution.manifest.v2+json`
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// `application/vnd.docker.distribution.manifest.list.v2+json`
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// One line of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexEntry {
    /// What the document is.
    #[serde(default)]
    pub media_type: String,
    /// Its name.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What is in it where it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Free text by name; build attestations are told by it.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// An index (Docker: manifest list): the same image for several platforms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2.
    pub schema_version: u32,
    /// Which of the two forms.
    #[serde(default)]
    pub media_type: String,
    /// Its lines.
    pub manifests: Vec<IndexEntry>,
}

impl Index {
    /// The lines that are for `wanted`; one that names no platform fits any.
    pub fn choose(&self, wanted: &Platform) -> Option<&IndexEntry> {
        let named = |entry: &&IndexEntry| {
            let platform = entry.platform.as_ref();
            platform.is_some_and(|platform| platform.fits(wanted))
        };
        let lines = || self.manifests.iter();
        lines()
            .find(named)
            .or_else(|| lines().find(|entry| entry.platform.is_none() && self.manifests.len() == 1))
    }
}

/// What a name leads to.
#[derive(Clone, Debug)]
pub enum Document {
    /// One image.
    Manifest(Box<ImageManifest>),
    /// One image per platform.
    Index(Index),
}

/// A document that is neither.
#[derive(Debug, thiserror::Error)]
pub enum BadDocument {
    /// It is no JSON, or fields are missing.
    #[error("the document cannot be understood: {0}")]
    Json(#[from] serde_json::Error),
    /// It is something else.
    #[error("unsupported media type {0:?}")]
    MediaType(String),
    /// Docker's form before 2016.
    #[error(
        "image manifest version 2, schema 1 is no longer supported: push the image again with a newer client"
    )]
    Schema1,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    #[serde(default)]
    schema_version: u32,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads a document; its own word about its type must agree with `told`, unless either is silent.
    ///
    /// A document that could be read as both forms is refused, as the OCI specification asks.
    pub fn parse(bytes: &[u8], told: Option<&str>) -> Result<Self, BadDocument> {
        let probe: Probe = serde_json::from_slice(bytes)?;
        if probe.schema_version == 1 {
            return Err(BadDocument::Schema1);
        }
        let known =
            |text: &&str| [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].contains(text);
        let told = told.map(|told| told.split(';').next().unwrap_or(told).trim());
        let kind = match (probe.media_type.as_deref(), told.filter(known)) {
            (Some(own), Some(told)) if own != told => {
                return Err(BadDocument::MediaType(format!("{own} sent as {told}")));
            }
            (Some(own), _) => own,
            (None, Some(told)) => told,
            (None, None) if probe.manifests.is_some() => OCI_INDEX,
            (None, None) => OCI_MANIFEST,
        };
        if probe.manifests.is_some() && probe.config.is_some() {
            return Err(BadDocument::MediaType(
                "both a manifest and an index".to_owned(),
            ));
        }
        match kind {
            OCI_MANIFEST | DOCKER_MANIFEST => {
                Ok(Self::Manifest(Box::new(serde_json::from_slice(bytes)?)))
            }
            OCI_INDEX | DOCKER_LIST => Ok(Self::Index(serde_json::from_slice(bytes)?)),
            other => Err(BadDocument::MediaType(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_both_is_refused() {
        let both = br#"{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}"#;
        assert!(Document::parse(both, None).is_err());
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(matches!(
            Document::parse(index, None),
            Ok(Document::Index(_))
        ));
        assert!(Document::parse(index, Some(OCI_MANIFEST)).is_err());
        assert!(matches!(
            Document::parse(br#"{"schemaVersion":1}"#, None),
            Err(BadDocument::Schema1)
        ));
    }

    #[test]
    fn deep_json_is_an_error_and_no_crash() {
        let deep = "[".repeat(100_000);
        assert!(Document::parse(deep.as_bytes(), None).is_err());
    }
}

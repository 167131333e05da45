//! Streams of JSON messages: pull, load, import, build; and the error body.

use serde::{Deserialize, Serialize};

/// One message of a progress stream. Its keys are camel case in Docker's API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// Text output (build, load).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What happens: `Downloading`, `Pull complete`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_detail: Option<ProgressDetail>,
    /// Bar drawn by the daemon, for old clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// What it is about: a short layer id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A failure after the stream began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<ErrorDetail>,
    /// The same failure, for old clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Data for programs, such as the id of a built image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aux: Option<serde_json::Value>,
}

/// How far a transfer has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProgressDetail {
    /// Bytes done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// Bytes in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// A failure after the stream began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorDetail {
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// For people.
    pub message: String,
}

/// Body of every error answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// For people; clients match on some of its words.
    pub message: String,
}

//! Why a configuration cannot be used, in dockerd's words where it has some.

use std::path::PathBuf;

use super::host::BadHost;
use crate::registry::BadNetwork;
use crate::rootless::RootlessError;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("unable to configure the engine with file {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be understood.
    #[error("unable to configure the engine with file {}: {source}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The same thing is said in both places.
    #[error(
        "unable to configure the engine with file {}: the following directives are specified both as a flag and in the \
         configuration file: {key}: (from flag: {flag}, from file: {in_file})",
        .path.display()
    )]
    Twice {
        /// The file.
        path: PathBuf,
        /// Which.
        key: &'static str,
        /// What the flag says.
        flag: String,
        /// What the file says.
        in_file: String,
    },
    /// Keys that nobody knows.
    #[error("unable to configure the engine with file {}: the following directives don't match any configuration option: {keys}", .path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Which, in alphabetical order.
        keys: String,
    },
    /// What flags and file say together makes no sense.
    #[error("unable to configure the engine with file {}: merged configuration validation from file and command line flags failed: {why}", .path.display())]
    Merged {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The default log driver does not take these options.
    #[error("failed to set log opts: {0}")]
    LogOptions(String),
    /// A value is not supported.
    #[error("{key} {value:?} is not supported: {remedy}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An address is wrong.
    #[error(transparent)]
    Host(#[from] BadHost),
    /// A network is wrong.
    #[error("allow-private-fetch: {0}")]
    Network(#[from] BadNetwork),
    /// An ordinary user's directories are unknown.
    #[error(transparent)]
    Rootless(#[from] RootlessError),
}

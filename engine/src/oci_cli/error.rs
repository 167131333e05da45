//! What can go wrong with a command, in words that callers of runc match on.

use std::path::PathBuf;

use kernel::error::SysError;

use crate::oci::runtime_spec::ConfigError;
use crate::runtime::bundle::BundleError;
use crate::runtime::handshake::Refusal;

/// A command that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// No such option.
    #[error("flag provided but not defined: -{0}")]
    UnknownFlag(String),
    /// An option lacks its value.
    #[error("flag needs an argument: -{0}")]
    FlagWithoutValue(String),
    /// An option has a value that it cannot have.
    #[error("invalid value {value:?} for flag -{flag}")]
    BadValue {
        /// Its name.
        flag: String,
        /// The value.
        value: String,
    },
    /// No such command.
    #[error("unknown command {0:?}; see --help")]
    UnknownCommand(String),
    /// The wrong number of arguments.
    #[error("{command}: {expected}")]
    Arguments {
        /// Which command.
        command: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// This runtime does not do it.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The id becomes the name of a directory.
    #[error("invalid container ID format: {0:?}")]
    BadId(String),
    /// It is there already.
    #[error("container with given ID already exists")]
    Exists,
    /// It is not there.
    #[error("container does not exist")]
    Missing,
    /// Its first process has ended.
    #[error("container not running")]
    NotRunning,
    /// It is not in a state for this.
    #[error("{0}")]
    State(String),
    /// `config.json` cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The bundle cannot be run.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The roles refused.
    #[error("{}", plain(.0))]
    Refused(#[from] Refusal),
    /// A file of ours.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// What was done with it.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The kernel refused.
    #[error("{what}: {source}")]
    Kernel {
        /// What was wanted.
        what: &'static str,
        /// Why not.
        source: SysError,
    },
}

impl CliError {
    /// The exit code of the whole command.
    pub(super) fn code(&self) -> u8 {
        match self {
            // What cannot be executed in a running container has the codes of a shell.
            Self::Refused(refusal) => u8::try_from(refusal.code).unwrap_or(1),
            _ => 1,
        }
    }
}

/// The words of a refusal without those that the daemon's clients expect around them.
fn plain(refusal: &Refusal) -> &str {
    const START: &str = "unable to start container process";
    let message = refusal.message.as_str();
    let message = message.find(START).map_or(message, |at| &message[at..]);
    message.strip_suffix(": unknown").unwrap_or(message)
}

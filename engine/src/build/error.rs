//! Why a build did not end well. Sentences follow Docker where clients and lessons know them.

use std::path::{Path, PathBuf};

use kernel::error::SysError;

use crate::dockerfile::{BadIgnore, ExpandError, ParseError};
use crate::image::{AddError, ImageError};
use crate::store::{PackError, StoreError, UnpackError};

/// A build that failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile is wrong; with its line and a caret.
    #[error("{}", .0.rendered())]
    Parse(#[from] ParseError),
    /// A word cannot be expanded.
    #[error("failed to process {text:?}: {source}")]
    Expand {
        /// The word.
        text: String,
        /// Why.
        source: ExpandError,
    },
    /// The patterns of `.dockerignore` are wrong.
    #[error(transparent)]
    Ignore(#[from] BadIgnore),
    /// `--target`.
    #[error("failed to reach build target {0} in Dockerfile")]
    Target(String),
    /// `FROM $X` without X.
    #[error("base name ({0}) should not be blank")]
    BlankBase(String),
    /// `COPY --from=` or a mount names a stage that does not come before.
    #[error("invalid from flag value {0}: refers to a stage that is not built before this one")]
    Later(String),
    /// A platform that is none.
    #[error(
        "failed to parse platform {0}: {0:?}: unknown operating system or architecture: invalid argument"
    )]
    Platform(String),
    /// Another architecture's image.
    #[error(
        "image with reference {name} was found but does not match the specified platform: wanted {wanted}, actual: {actual}"
    )]
    OtherPlatform {
        /// The image.
        name: String,
        /// What was asked for.
        wanted: String,
        /// What it is.
        actual: String,
    },
    /// A source of COPY or ADD is not there.
    #[error(
        "{instruction} failed: file not found in build context or excluded by .dockerignore: stat {path}: file does not exist"
    )]
    NoSource {
        /// COPY or ADD.
        instruction: &'static str,
        /// Which.
        path: String,
    },
    /// A source outside the context.
    #[error("{instruction} failed: forbidden path outside the build context: {path} ()")]
    Outside {
        /// COPY or ADD.
        instruction: &'static str,
        /// Which.
        path: String,
    },
    /// A pattern that matches nothing.
    #[error("{0} failed: no source files were specified")]
    NoSources(&'static str),
    /// Several sources and a destination that is no directory.
    #[error(
        "When using {0} with more than one source file, the destination must be a directory and end with a /"
    )]
    NotADirectory(&'static str),
    /// What is there already is in the way.
    #[error("{instruction} failed: cannot copy to non-directory: {path}")]
    InTheWay {
        /// COPY or ADD.
        instruction: &'static str,
        /// Which.
        path: String,
    },
    /// A flag's value.
    #[error("{0}")]
    Value(String),
    /// RUN ended with another code than 0.
    #[error("The command '{command}' returned a non-zero code: {code}")]
    Command {
        /// What ran.
        command: String,
        /// How it ended.
        code: i32,
    },
    /// Nothing was built.
    #[error("No image was generated. Is your Dockerfile empty?")]
    Nothing,
    /// The client went, or asked for it.
    #[error("build cancelled")]
    Cancelled,
    /// The context is no archive, or too large.
    #[error("Error processing tar file: {0}")]
    Context(std::io::Error),
    /// The Dockerfile is not in the context.
    #[error("Cannot locate specified Dockerfile: {0}")]
    NoDockerfile(String),
    /// A secret that is required.
    #[error("secret {0} not found: give it with --secret id={0},src=FILE")]
    NoSecret(String),
    /// Something this builder does not do.
    #[error("{0} is not supported by this builder")]
    Unsupported(String),
    /// What an address gave.
    #[error("{instruction} failed: {message}")]
    Fetch {
        /// COPY or ADD.
        instruction: &'static str,
        /// Why.
        message: String,
    },
    /// The engine around the builder failed.
    #[error("{0}")]
    Host(String),
    /// The base image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image cannot be named.
    #[error(transparent)]
    Add(#[from] AddError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// An archive cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// A system call said no.
    #[error(transparent)]
    Sys(#[from] SysError),
    /// The disk said no.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl BuildError {
    /// A failed file operation.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// The exit code of the command that failed, for clients.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Command { code, .. } => Some(i64::from(*code)),
            _ => None,
        }
    }
}

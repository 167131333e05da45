//! Why the daemon did not do what it was asked. `api/error.rs` turns the kind into an HTTP status.

use crate::cluster::ClusterError;
use crate::image::{AddError, ArchiveError, BadReference, ImageError};
use crate::network::NetworkError;
use crate::network::ipam::IpamError;
use crate::registry::RegistryError;
use crate::runtime::client::ShimError;
use crate::runtime::handshake::{Refusal, RefusalKind};
use crate::runtime::launch::LaunchError;
use crate::store::{PackError, StoreError};

/// A refusal or a failure. Wording follows Docker where clients match on it.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// No such object: `container`, `image`, `network`, `volume`, `exec instance`.
    #[error("No such {what}: {name}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Docker's wording for networks and volumes.
    #[error("{0}")]
    NotFoundText(String),
    /// The request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The request is wrong, and Docker answers as if the server had failed.
    #[error("{0}")]
    Refused(String),
    /// It is not possible in this state.
    #[error("{0}")]
    Conflict(String),
    /// It is not allowed for this object.
    #[error("{0}")]
    Forbidden(String),
    /// Nothing had to be done.
    #[error("{0}")]
    NotModified(&'static str),
    /// The container cannot be started as it was asked for. Docker's words.
    #[error("failed to create task for container: {0}")]
    Start(String),
    /// The driver keeps nothing that can be read.
    #[error("configured logging driver does not support reading")]
    UnreadableLog,
    /// Docker can do it, this engine cannot.
    #[error("{0} is not supported by this engine")]
    Unsupported(String),
    /// The image name is wrong.
    #[error(transparent)]
    Reference(#[from] BadReference),
    /// The image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image cannot be made.
    #[error(transparent)]
    Add(#[from] AddError),
    /// A registry did not give or take it.
    #[error(transparent)]
    Registry(#[from] Box<RegistryError>),
    /// A build failed before it began.
    #[error(transparent)]
    Build(#[from] crate::build::BuildError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The container cannot be prepared.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The shim refused or is gone.
    #[error(transparent)]
    Shim(#[from] ShimError),
    /// A port cannot be published.
    #[error("{0}")]
    Port(String),
    /// The network failed.
    #[error("{}", chain(.0))]
    Network(#[from] NetworkError),
    /// No address is left, or it is taken.
    #[error(transparent)]
    Ipam(#[from] IpamError),
    /// What engines share cannot be reached, or refused.
    #[error("{0}")]
    Cluster(String),
    /// An archive of images cannot be written or read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Files cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The disk said no.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A system call said no.
    #[error(transparent)]
    Sys(#[from] kernel::error::SysError),
    /// A part of the daemon ended in a panic.
    #[error("the engine failed inside: {0}")]
    Panic(String),
}

/// What failed, and why, in one line: a client sees nothing else.
fn chain(error: &NetworkError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// What kind of answer an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// 304.
    NotModified,
    /// 400.
    Invalid,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 500.
    Failed,
    /// 501.
    Unsupported,
}

impl DaemonError {
    /// An object that does not exist.
    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound {
            what,
            name: name.into(),
        }
    }

    /// A failed file operation.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action: action.into(),
            source,
        }
    }

    /// Why the program of an exec cannot run, in Docker's words; `None` for any other failure.
    pub fn unrunnable_exec(&self) -> Option<String> {
        let Self::Shim(ShimError::Refused(refusal)) = self else {
            return None;
        };
        let (_, why) = refusal.message.split_once("runc create failed: ")?;
        Some(format!("OCI runtime exec failed: exec failed: {why}"))
    }

    /// What kind of answer it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. }
            | Self::NotFoundText(_)
            | Self::Image(ImageError::NotFound(_)) => ErrorKind::NotFound,
            Self::Invalid(_) | Self::Reference(_) | Self::Add(AddError::Change(_)) => {
                ErrorKind::Invalid
            }
            Self::Image(ImageError::Reference(_) | ImageError::Ambiguous(_)) => ErrorKind::Invalid,
            Self::Archive(ArchiveError::Image(ImageError::NotFound(_))) => ErrorKind::NotFound,
            Self::Build(_) => ErrorKind::Invalid,
            Self::Conflict(_) => ErrorKind::Conflict,
            Self::Forbidden(_) => ErrorKind::Forbidden,
            Self::NotModified(_) => ErrorKind::NotModified,
            Self::Unsupported(_) | Self::UnreadableLog => ErrorKind::Unsupported,
            Self::Registry(error) if error.is_unauthorized() => ErrorKind::Unauthorized,
            Self::Registry(error) if error.is_not_found() => ErrorKind::NotFound,
            Self::Launch(LaunchError::Plan(_)) => ErrorKind::Invalid,
            Self::Launch(LaunchError::Refused(refusal)) => refusal_kind(refusal),
            Self::Shim(ShimError::Refused(refusal)) => refusal_kind(refusal),
            _ => ErrorKind::Failed,
        }
    }
}

impl From<ClusterError> for DaemonError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error.to_string())
    }
}

impl From<RegistryError> for DaemonError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}

fn refusal_kind(refusal: &Refusal) -> ErrorKind {
    match refusal.kind {
        RefusalKind::Invalid => ErrorKind::Invalid,
        RefusalKind::NotFound => ErrorKind::NotFound,
        RefusalKind::Conflict => ErrorKind::Conflict,
        RefusalKind::Failed => ErrorKind::Failed,
    }
}

//! What is wrong with a Compose file, and where.

use std::path::{Path, PathBuf};

use super::interpolate::Unreplaced;
use super::yaml::YamlError;

/// Why a project cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// No file was named and none of the usual ones exists.
    #[error("no configuration file provided: not found")]
    NoFile,
    /// A file that cannot be read.
    #[error("open {}: {}", path.display(), plain(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is too large to be a Compose file.
    #[error("{}: larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes one may have.
        limit: u64,
    },
    /// Text that is not YAML, or YAML whose aliases explode.
    #[error("failed to parse {}: {source}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why, with the line.
        source: YamlError,
    },
    /// A file without a document.
    #[error("{}: {why}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// A variable reference that cannot be replaced.
    #[error("{}", replaced(at, source))]
    Interpolation {
        /// Where in the document: `services.web.image`.
        at: String,
        /// What is wrong with it.
        source: Unreplaced,
    },
    /// A text that is not what must stand there.
    #[error("error while interpolating {at}: failed to cast to expected type: {why}")]
    Cast {
        /// Where in the document.
        at: String,
        /// What was expected.
        why: String,
    },
    /// A value of the wrong kind, or an unknown key.
    #[error("validating {}: {at} {why}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Where in the document.
        at: String,
        /// What was expected.
        why: String,
    },
    /// Services that extend each other: names, each with the file it stands in.
    #[error("Circular reference:\n  {}", .0.join("\n  extends "))]
    Circular(Vec<String>),
    /// A value that makes no sense, a reference to nothing.
    #[error("{at}: {why}")]
    Invalid {
        /// Where in the document.
        at: String,
        /// What is wrong and what was expected.
        why: String,
    },
    /// A file of variables that a service must have.
    #[error("env file {} not found: stat {}: no such file or directory", .0.display(), .0.display())]
    NoEnvFile(PathBuf),
    /// Parts of a project that do not fit together.
    #[error("{at} {why}: invalid compose project")]
    Inconsistent {
        /// `service "web"`, or `services.web:`.
        at: String,
        /// What does not fit.
        why: String,
    },
    /// Services that wait for each other.
    #[error("dependency cycle detected: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// A name that is no service of the project.
    #[error("no such service: {0}")]
    NoService(String),
    /// A line of an environment file.
    #[error("failed to read {}: line {line}: {why}", path.display())]
    Env {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl ComposeError {
    /// A service that does not fit the rest of its project.
    pub(crate) fn of_service(name: &str, why: impl Into<String>) -> Self {
        Self::Inconsistent {
            at: format!("service \"{name}\""),
            why: why.into(),
        }
    }

    /// Something of the wrong kind; [`ComposeError::in_file`] says in which file.
    pub(crate) fn schema(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Schema {
            path: PathBuf::new(),
            at: at.into(),
            why: why.into(),
        }
    }

    /// The same, with the file where that is part of what is told.
    pub(crate) fn in_file(self, file: &Path) -> Self {
        match self {
            Self::Schema { at, why, .. } => Self::Schema {
                path: file.to_owned(),
                at,
                why,
            },
            other => other,
        }
    }

    /// Something at a place of the document.
    pub(crate) fn invalid(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid {
            at: at.into(),
            why: why.into(),
        }
    }
}

/// As docker compose words it.
fn replaced(at: &str, why: &Unreplaced) -> String {
    match why {
        Unreplaced::Required { .. } => format!("error while interpolating {at}: {why}"),
        Unreplaced::Format { .. } => format!(
            "invalid interpolation format for {at}.\nYou may need to escape any $ with another $.\n{why}"
        ),
    }
}

/// An I/O error as C programs word it.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or(&text)
        .to_lowercase()
}

//! What is wrong with a Compose file, and where.

use std::path::PathBuf;

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
    #[error("parsing {}: {why}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        why: String,
    },
    /// A variable reference that cannot be replaced.
    #[error("invalid interpolation format for {at}: {why}")]
    Interpolation {
        /// Where in the document: `services.web.image`.
        at: String,
        /// What is wrong with it.
        why: String,
    },
    /// A value of the wrong kind, an unknown key, a reference to nothing.
    #[error("{at}: {why}")]
    Invalid {
        /// Where in the document.
        at: String,
        /// What is wrong and what was expected.
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
    /// Something at a place of the document.
    pub(crate) fn invalid(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid {
            at: at.into(),
            why: why.into(),
        }
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

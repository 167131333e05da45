//! What each learner has read, answered and solved, in SQLite.
//!
//! One connection behind a lock, reached from async code through `spawn_blocking`; write-ahead log
//! with full synchronisation, so that `kill -9` loses at most the statement under way. `schema`
//! holds the migrations, the other files one concern each as methods of `Progress`.

mod checks;
mod pages;
mod passes;
mod schema;
mod sessions;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

pub(crate) use checks::{ExerciseState, Known};
pub(crate) use pages::{Overview, Reached};

/// The learners' progress.
#[derive(Clone)]
pub(crate) struct Progress {
    connection: Arc<Mutex<Connection>>,
}

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgressError {
    /// Its folder cannot be made.
    #[error("cannot create {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// It is damaged.
    #[error("{path} is damaged: {report}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        report: String,
    },
    /// It was written by a newer version of this program.
    #[error("the database has version {found}, this program knows {known}")]
    Newer {
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A statement failed.
    #[error("cannot {what}")]
    Statement {
        /// What it was for.
        what: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl Progress {
    /// Opens the database, creates or migrates it, and verifies that it is whole.
    pub(crate) fn open(path: &Path) -> Result<Self, ProgressError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder).map_err(|source| ProgressError::Folder {
            path: folder.to_owned(),
            source,
        })?;
        let connection = Connection::open(path).map_err(|source| ProgressError::Open {
            path: path.to_owned(),
            source,
        })?;
        schema::prepare(connection, path).map(Self::from)
    }

    /// Runs `work` on the connection, away from the async threads.
    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ProgressError> {
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            // A panic in another statement rolled its transaction back: the connection is sound.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
        });
        done.await
            .map_err(|_| ProgressError::Stopping)?
            .map_err(|source| ProgressError::Statement { what, source })
    }
}

impl From<Connection> for Progress {
    fn from(connection: Connection) -> Self {
        Self {
            connection: Arc::new(Mutex::new(connection)),
        }
    }
}

//! The plan of a container: what the shim and the init will do, decided in advance.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::request::RunRequest;
use super::stage::Stage;

/// Everything a shim needs; it reads nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Of the container.
    pub id: String,
    /// Where `shim.sock` and `exit.json` are made.
    pub directory: PathBuf,
    /// Where it runs.
    pub stage: Stage,
}

/// A wish that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A word is not understood.
    #[error("invalid {what}: {value:?}")]
    Invalid {
        /// What it should have been.
        what: &'static str,
        /// What it is.
        value: String,
    },
}

impl Plan {
    /// Decides: pure, so its tests need no privilege.
    pub fn of(request: &RunRequest, stage: &Stage, directory: &Path) -> Result<Self, PlanError> {
        Ok(Self {
            id: request.id.clone(),
            directory: directory.to_owned(),
            stage: stage.clone(),
        })
    }
}

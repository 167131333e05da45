//! The plan of a container: what the shim and the init will do, decided in advance.
//!
//! A newcomer starts here: reading [`Plan::of`] from top to bottom tells what a container is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::mounts::{self, Step};
use super::process::ProcessPlan;
use super::request::{InitProcess, LogSpec, Namespaces, Resources, Root, RunRequest};
use crate::stage::Stage;

/// Everything a shim needs; it reads nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Of the container.
    pub id: String,
    /// Where `shim.sock` and `exit.json` are made.
    pub directory: PathBuf,
    /// Where it runs.
    pub stage: Stage,
    /// Which namespaces are made and which are joined.
    pub namespaces: Namespaces,
    /// Its group, the same path in every hierarchy.
    pub cgroup: PathBuf,
    /// The limits of that group.
    pub resources: Resources,
    /// Devices it may use, as lines of the device controller; `None` allows what the stage may.
    pub devices: Option<Vec<String>>,
    /// Its root file system.
    pub root: Root,
    /// Files and directories of the engine that the steps bind, by index.
    pub sources: Vec<PathBuf>,
    /// What is mounted and made in the root, in order.
    pub steps: Vec<Step>,
    /// What `hostname` prints.
    pub hostname: String,
    /// NIS domain name.
    pub domainname: String,
    /// What runs.
    pub process: ProcessPlan,
    /// As PID 1, or below a small one.
    pub init: InitProcess,
    /// Where its output goes.
    pub log: LogSpec,
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
    /// A mount would hide or change what isolates the container.
    #[error("cannot mount over {0:?}: it is inside /proc")]
    OverProc(String),
    /// The filter cannot be compiled.
    #[error("cannot compile the seccomp filter")]
    Seccomp(#[source] super::seccomp::FilterError),
}

impl Plan {
    /// Decides: pure, so its tests need no privilege.
    pub fn of(request: &RunRequest, stage: &Stage, directory: &Path) -> Result<Self, PlanError> {
        check_id(&request.id)?;
        let (sources, mut steps) = mounts::plan(request)?;
        if matches!(stage, Stage::Inner { .. }) {
            mounts::show_no_more_of_sysfs(&mut steps);
        }
        Ok(Self {
            id: request.id.clone(),
            directory: directory.to_owned(),
            stage: stage.clone(),
            namespaces: request.namespaces.clone(),
            cgroup: super::cgroups::path(stage, &request.id),
            resources: request.resources.clone(),
            devices: super::devices::rules(request, stage)?,
            root: request.root.clone(),
            sources,
            steps,
            hostname: request.hostname.clone(),
            domainname: request.domainname.clone(),
            process: ProcessPlan::of(&request.process, &request.hostname)?,
            init: request.init,
            log: request.log.clone(),
        })
    }
}

/// The id becomes a directory's name in several places: it must be nothing else.
fn check_id(id: &str) -> Result<(), PlanError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || id.len() > 128 || !id.chars().all(plain) {
        return Err(PlanError::Invalid {
            what: "container id",
            value: id.to_owned(),
        });
    }
    Ok(())
}

//! The plan of a container: what the shim and the init will do, decided in advance.
//!
//! A newcomer starts here: reading [`Plan::of`] from top to bottom tells what a container is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::hooks::Hooks;
use super::mounts::{self, Bound, Propagation, Step};
use super::namespaces::{Clock, Join, UserNamespace};
use super::process::ProcessPlan;
use super::request::{InitProcess, Namespaces, Resources, Root, RunRequest};
use crate::logs::spec::LogSpec;
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
    /// Namespaces that are joined by path, before any is made.
    pub joins: Vec<Join>,
    /// The ids of a user namespace of its own.
    pub user: Option<UserNamespace>,
    /// The clocks of a time namespace of its own.
    pub clocks: Option<Vec<Clock>>,
    /// Its group, the same path in every hierarchy.
    pub cgroup: PathBuf,
    /// The limits of that group.
    pub resources: Resources,
    /// Devices it may use, as lines of the device controller; `None` allows what the stage may.
    pub devices: Option<Vec<String>>,
    /// Its root file system.
    pub root: Root,
    /// Files and directories of the engine that the steps bind, by index.
    pub sources: Vec<Bound>,
    /// What is mounted and made in the root, in order.
    pub steps: Vec<Step>,
    /// How the root is entered.
    pub entrance: Entrance,
    /// How mount events travel through the root, if not at all is not what is wished.
    pub propagation: Option<Propagation>,
    /// Programs run at the turns of its life.
    pub hooks: Hooks,
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

/// How a process makes a directory its root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entrance {
    /// By pivot_root(2): nothing of the old root is left.
    #[default]
    Pivot,
    /// By chroot(2), where the old root is an initramfs, which cannot be pivoted from.
    Chroot,
    /// Not at all: the mount namespace of somebody else is as it is.
    Stay,
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
            joins: Vec::new(),
            user: None,
            clocks: None,
            cgroup: super::cgroups::path(stage, &request.cgroup_parent, &request.id),
            resources: request.resources.clone(),
            devices: super::devices::rules(request, stage)?,
            root: request.root.clone(),
            sources,
            steps,
            entrance: Entrance::Pivot,
            propagation: None,
            hooks: Hooks::default(),
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

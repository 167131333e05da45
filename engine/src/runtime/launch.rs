//! Executes the shim role and hands it the plan.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kernel::error::SysError;

use super::apparmor::{self, ProfileError};
use super::client::ShimClient;
use super::handshake::{ExitRecord, Frame, Refusal, Reply, Status};
use super::plan::{Plan, PlanError};
use super::request::RunRequest;
use crate::stage::Stage;

/// Where the engine keeps what lives as long as it runs, and what it executes.
#[derive(Clone, Debug)]
pub struct Paths {
    /// `<exec root>/<id>/` holds `shim.sock`, then `exit.json`.
    pub exec_root: PathBuf,
    /// The executable `quai`; `/proc/self/exe` does when the caller is it.
    pub executable: PathBuf,
}

impl Paths {
    /// The directory of one container.
    pub fn container(&self, id: &str) -> PathBuf {
        self.exec_root.join(id)
    }
}

/// A container that is prepared and waits for [`ShimClient::start`].
#[derive(Debug)]
pub struct Created {
    /// Its pid as the learner's machine sees it (what `docker inspect` prints).
    pub pid: u32,
    /// Its pid in the engine's `/proc`; its network namespace is `/proc/<engine_pid>/ns/net`.
    pub engine_pid: u32,
    /// Its shim.
    pub shim: ShimClient,
}

/// A container that could not be prepared; nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The wish makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It cannot be confined as wished.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The directory of the container cannot be made.
    #[error("cannot create {path}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The plan cannot be handed over.
    #[error("cannot hand the plan to the shim")]
    HandOver(#[source] SysError),
    /// The shim cannot be executed.
    #[error("cannot execute {path} as a shim")]
    Execute {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The shim ended without a word.
    #[error("the shim ended before it had prepared the container")]
    Silent(#[source] io::Error),
    /// The shim says what failed.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Prepares a container: everything but the `execve` of its program.
pub fn create(request: &RunRequest, stage: &Stage, paths: &Paths) -> Result<Created, LaunchError> {
    let directory = paths.container(&request.id);
    let mut plan = Plan::of(request, stage, &directory)?;
    plan.process.apparmor = apparmor::resolve(&request.process)?;
    std::fs::create_dir_all(&directory).map_err(|source| LaunchError::Directory {
        path: directory.clone(),
        source,
    })?;
    let result = hand_over(&plan, paths);
    if result.is_err() {
        // The shim has told why; what is left is an empty directory.
        let _ = std::fs::remove_dir_all(&directory);
    }
    let status = result?;
    Ok(Created {
        pid: status.pid,
        engine_pid: status.engine_pid,
        shim: ShimClient::in_directory(&directory),
    })
}

fn hand_over(plan: &Plan, paths: &Paths) -> Result<Status, LaunchError> {
    let json = serde_json::to_vec(plan).expect("a plan has string keys only");
    let memory = kernel::memory::sealed(c"plan", &json).map_err(LaunchError::HandOver)?;
    let (mut ours, theirs) = UnixStream::pair().map_err(LaunchError::Silent)?;
    let mut child = Command::new(&paths.executable)
        .arg("shim")
        .arg(&plan.id)
        .env_clear()
        .stdin(Stdio::from(memory))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .map_err(|source| LaunchError::Execute {
            path: paths.executable.clone(),
            source,
        })?;
    // The shim outlives this call; somebody must collect it when it ends.
    std::thread::Builder::new()
        .name("shim-reaper".into())
        .stack_size(64 << 10)
        .spawn(move || drop(child.wait()))
        .map_err(LaunchError::Silent)?;
    let frame = Frame::read_from(&mut ours)
        .and_then(|frame| frame.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()))
        .map_err(LaunchError::Silent)?;
    match frame.parse::<Reply>().map_err(LaunchError::Silent)? {
        Reply::Status(status) => Ok(status),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(LaunchError::Silent(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("unexpected reply {other:?}"),
        ))),
    }
}

/// What became of a container while no daemon looked.
#[derive(Debug)]
pub enum Found {
    /// Its shim is there.
    Alive(ShimClient, Status),
    /// It ended, and its shim wrote how.
    Ended(ExitRecord),
    /// Nothing is left: the machine was rebooted, or the shim was killed.
    Gone,
}

/// Finds a container after a restart of the daemon.
pub fn find(id: &str, paths: &Paths) -> Found {
    let directory = paths.container(id);
    let shim = ShimClient::in_directory(&directory);
    match shim.status() {
        Ok(status) => Found::Alive(shim, status),
        Err(_) => load_exit(&directory).map_or(Found::Gone, Found::Ended),
    }
}

/// Reads `exit.json` of a container's directory, if it is there and whole.
pub fn load_exit(directory: &Path) -> Option<ExitRecord> {
    let bytes = std::fs::read(directory.join("exit.json")).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Forgets a container that has ended: removes its directory.
pub fn forget(id: &str, paths: &Paths) -> io::Result<()> {
    match std::fs::remove_dir_all(paths.container(id)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

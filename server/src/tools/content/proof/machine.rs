//! A machine of the proof's own, through the same helper as `quai local`.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use labs::exercise::{Exercise, Problem};
use tokio::runtime::Runtime;
use web::messages::say;

use crate::course::source::SourceError;
use crate::machine::data::DataDir;
use crate::machine::helper::client::Machines;
use crate::machine::helper::{SpawnError, spawn_and_drop};
use crate::machine::identity::MachineId;
use crate::machine::pool::{Launcher, MachineError};
use crate::machine::spec::{Limits, Network};
use crate::session::LearnerId;

/// How long a keeper may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why nothing can be proved.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProofError {
    /// The course cannot be read.
    #[error("{}", say("content.cannot.course", &[]))]
    Course(#[source] SourceError),
    /// An exercise is malformed.
    #[error("{}", say("content.cannot.exercise", &[]))]
    Exercise(#[source] Problem),
    /// No such exercise.
    #[error("{}", say("content.cannot.find", &[("id", .0)]))]
    NoExercise(String),
    /// The report cannot be written.
    #[error("{}", say("content.cannot.report", &[]))]
    Report(#[source] std::io::Error),
    /// There is no catalogue of images.
    #[error("{}", say("content.cannot.images", &[("store", &.0.display().to_string())]))]
    NoImages(PathBuf),
    /// The folder of the proof cannot be made.
    #[error("{}", say("content.cannot.folder", &[("path", &.path.display().to_string())]))]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No helper.
    #[error("{}", say("content.cannot.helper", &[]))]
    Helper(#[source] SpawnError),
    /// No runtime to speak with it.
    #[error("{}", say("content.cannot.runtime", &[]))]
    Runtime(#[source] std::io::Error),
    /// A machine does not start.
    #[error("{}", say("content.cannot.machine", &[]))]
    Machine(#[source] MachineError),
    /// The keeper does not answer.
    #[error("{}", say("content.cannot.keeper", &[("path", &.path.display().to_string())]))]
    Keeper {
        /// Its socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// This host, with a helper that starts machines in a folder of the proof's own.
pub(super) struct Host {
    runtime: Runtime,
    machines: Machines,
    data: DataDir,
}

impl Host {
    /// Starts the helper and stops being root. The catalogue of `data` is shared, nothing else.
    pub(super) fn start(data: &Path) -> Result<Self, ProofError> {
        let store = data.join("store");
        if !crate::config::has_machine_image(&store) {
            return Err(ProofError::NoImages(store));
        }
        let own = data.join("proof");
        let link = own.join("store");
        let folder = |path: &Path| {
            let path = path.to_owned();
            move |source| ProofError::Folder { path, source }
        };
        std::fs::create_dir_all(&own).map_err(folder(&own))?;
        if !link.exists() {
            std::os::unix::fs::symlink(&store, &link).map_err(folder(&link))?;
        }
        let socket = spawn_and_drop(&own).map_err(ProofError::Helper)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(ProofError::Runtime)?;
        let machines = runtime
            .block_on(async { Machines::new(socket, Limits::default(), Network::default()) })
            .map_err(ProofError::Runtime)?;
        Ok(Self {
            runtime,
            machines,
            data: DataDir::new(own),
        })
    }
}

/// A machine for one exercise.
pub(super) struct Machine<'a> {
    host: &'a Host,
    exercise: &'a Exercise,
    id: MachineId,
}

impl<'a> Machine<'a> {
    /// Starts a fresh one.
    pub(super) fn start(host: &'a Host, exercise: &'a Exercise) -> Result<Self, ProofError> {
        let learner = LearnerId("proof".into());
        let id = MachineId::of(&learner, exercise);
        let machine = Self { host, exercise, id };
        // A proof that was interrupted may have left one behind.
        machine.reset()?;
        Ok(machine)
    }

    /// What is watched on it.
    pub(super) fn exercise(&self) -> &'a Exercise {
        self.exercise
    }

    /// Makes it as new.
    pub(super) fn reset(&self) -> Result<(), ProofError> {
        let reset = self.host.machines.reset(self.id.clone(), self.exercise);
        let done = self.host.runtime.block_on(reset);
        done.map_err(ProofError::Machine)
    }

    /// Removes it with its disk.
    pub(super) fn delete(self) -> Result<(), ProofError> {
        let delete = self.host.machines.delete(self.id.clone());
        let done = self.host.runtime.block_on(delete);
        done.map_err(ProofError::Machine)
    }

    /// A connection to its keeper.
    pub(super) fn connect(&self) -> Result<UnixStream, ProofError> {
        let path = self.host.data.socket(&self.id);
        let started = Instant::now();
        loop {
            match UnixStream::connect(&path) {
                Ok(stream) => return Ok(stream),
                Err(_) if started.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(source) => return Err(ProofError::Keeper { path, source }),
            }
        }
    }
}

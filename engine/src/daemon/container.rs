//! One container: what is kept on disk, and what only a running daemon knows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::api::types::{
    ContainerConfig, EndpointSettings, Health, HostConfig, MountPoint, PortBinding,
};
use crate::oci::Digest;
use crate::runtime::client::ShimClient;
use crate::store::Durability;

use super::attach::Waiting;
use super::networks::Attachment;
use super::restart::Backoff;
use super::{Daemon, DaemonError};

/// `record.json` of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    pub(crate) id: String,
    /// Without a leading slash.
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) image_id: Digest,
    /// Chain ids of the image's layers, lowest first: they are in use as long as the container is there.
    pub(crate) layers: Vec<Digest>,
    /// The request joined with the image's configuration.
    pub(crate) config: ContainerConfig,
    pub(crate) host_config: HostConfig,
    pub(crate) mounts: Vec<MountPoint>,
    /// Ports as they are published while it runs: `80/tcp` → addresses.
    #[serde(default)]
    pub(crate) published: BTreeMap<String, Vec<PortBinding>>,
    /// By network name.
    pub(crate) endpoints: BTreeMap<String, EndpointSettings>,
    /// By network name, what no client is told.
    #[serde(default)]
    pub(crate) attachments: BTreeMap<String, Attachment>,
    pub(crate) state: State,
    pub(crate) restart_count: i64,
    /// A person stopped it, so `unless-stopped` leaves it alone.
    pub(crate) stopped_by_hand: bool,
    /// What its health tests found; `None` when it has none.
    #[serde(default)]
    pub(crate) health: Option<Health>,
}

impl ContainerRecord {
    /// A container that is asked for now and has no place yet: no layers, no mounts, no networks.
    pub(crate) fn new(
        id: String,
        image_id: Digest,
        config: ContainerConfig,
        host_config: HostConfig,
    ) -> Self {
        Self {
            id,
            name: String::new(),
            created: Timestamp::now(),
            image_id,
            layers: Vec::new(),
            config,
            host_config,
            mounts: Vec::new(),
            published: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            attachments: BTreeMap::new(),
            state: State::Created {
                error: String::new(),
                code: 0,
            },
            restart_count: 0,
            stopped_by_hand: false,
            health: None,
        }
    }
}

/// Where a container is in its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Never ran. A start that failed says why.
    Created { error: String, code: i32 },
    /// A process exists.
    Running(Running),
    /// It exists and is frozen.
    Paused(Running),
    /// It ended and will be started again.
    Restarting(Ended),
    /// It ended.
    Exited(Ended),
}

/// A process that exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// As the machine sees it.
    pub(crate) pid: u32,
    /// As the engine sees it.
    pub(crate) engine_pid: u32,
    pub(crate) since: Timestamp,
    /// The kernel has killed a process of it for want of memory.
    #[serde(default)]
    pub(crate) oom_killed: bool,
}

/// A process that existed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) oom_killed: bool,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Timestamp,
    pub(crate) error: String,
}

impl State {
    /// Docker's word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::Running(_) => "running",
            Self::Paused(_) => "paused",
            Self::Restarting(_) => "restarting",
            Self::Exited(_) => "exited",
        }
    }

    /// The process, if one exists.
    pub(crate) fn process(&self) -> Option<&Running> {
        match self {
            Self::Running(running) | Self::Paused(running) => Some(running),
            Self::Created { .. } | Self::Restarting(_) | Self::Exited(_) => None,
        }
    }

    /// How it ended last, if it did.
    pub(crate) fn ended(&self) -> Option<&Ended> {
        match self {
            Self::Exited(ended) | Self::Restarting(ended) => Some(ended),
            _ => None,
        }
    }
}

/// A container of a running daemon.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: String,
    inner: Mutex<Inner>,
    /// Start, stop, remove and rename happen one after the other.
    pub(crate) turn: tokio::sync::Mutex<()>,
    pub(crate) ends: watch::Sender<Ends>,
}

/// What is behind the container's lock.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) record: ContainerRecord,
    pub(crate) shim: Option<ShimClient>,
    /// Clients that attached before the start.
    pub(crate) waiting: Vec<Waiting>,
    /// Set while it is being removed.
    pub(crate) removing: bool,
    /// The pause before the next restart.
    pub(crate) backoff: Backoff,
    /// A person asked it to end: the policy does not start it again, whatever it says.
    pub(crate) exit_on_next: bool,
    /// Tests its health while it runs.
    pub(crate) monitor: Option<tokio::task::AbortHandle>,
}

/// What waiting clients look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// How often it has ended.
    pub(crate) count: u64,
    pub(crate) code: i32,
    pub(crate) running: bool,
    pub(crate) removed: bool,
}

impl Container {
    pub(crate) fn new(record: ContainerRecord) -> Self {
        let ends = Ends {
            code: record.state.ended().map_or(0, |ended| ended.code),
            ..Ends::default()
        };
        Self {
            id: record.id.clone(),
            inner: Mutex::new(Inner {
                record,
                shim: None,
                waiting: Vec::new(),
                removing: false,
                backoff: Backoff::default(),
                exit_on_next: false,
                monitor: None,
            }),
            turn: tokio::sync::Mutex::default(),
            ends: watch::Sender::new(ends),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while holding it")
    }

    /// A copy of the record as it is now.
    pub(crate) fn record(&self) -> ContainerRecord {
        self.lock().record.clone()
    }

    /// The shim of a running container.
    pub(crate) fn shim(&self) -> Result<ShimClient, DaemonError> {
        let inner = self.lock();
        match (&inner.shim, inner.record.state.process()) {
            (Some(shim), Some(_)) => Ok(shim.clone()),
            _ => Err(not_running(&self.id)),
        }
    }
}

pub(crate) fn not_running(id: &str) -> DaemonError {
    DaemonError::Conflict(format!("container {id} is not running"))
}

impl Daemon {
    /// Finds a container by id, name or the beginning of an id.
    pub(crate) fn container(&self, text: &str) -> Result<Arc<Container>, DaemonError> {
        let containers = self.containers.read().expect("no panic while holding it");
        if let Some(container) = containers.get(text) {
            return Ok(Arc::clone(container));
        }
        let name = text.strip_prefix('/').unwrap_or(text);
        if let Some(container) = containers
            .values()
            .find(|container| container.lock().record.name == name)
        {
            return Ok(Arc::clone(container));
        }
        let mut begins = containers
            .values()
            .filter(|container| !text.is_empty() && container.id.starts_with(text));
        match (begins.next(), begins.next()) {
            (Some(container), None) => Ok(Arc::clone(container)),
            (Some(_), Some(_)) => Err(DaemonError::Invalid(format!(
                "multiple IDs found with provided prefix: {text}"
            ))),
            (None, _) => Err(DaemonError::not_found("container", text)),
        }
    }

    /// All containers.
    pub(crate) fn all_containers(&self) -> Vec<Arc<Container>> {
        self.containers
            .read()
            .expect("no panic while holding it")
            .values()
            .cloned()
            .collect()
    }

    /// Writes the record of a container as it is now.
    pub(crate) fn save(&self, container: &Container) -> Result<(), DaemonError> {
        let record = container.record();
        // After a reboot nothing is left of what had `--rm`.
        let durability = if record.host_config.auto_remove {
            Durability::Crash
        } else {
            Durability::PowerCut
        };
        Ok(self.records.save(&record.id, &record, durability)?)
    }

    /// The folder of a container.
    pub(crate) fn container_dir(&self, id: &str) -> PathBuf {
        self.records.dir(id)
    }

    /// Tells an event about a container: its labels, image and name, and more.
    pub(crate) fn tell(&self, record: &ContainerRecord, action: &str, more: &[(&str, String)]) {
        let mut attributes = record.config.labels.clone();
        attributes.insert("image".to_owned(), record.config.image.clone());
        attributes.insert("name".to_owned(), record.name.clone());
        attributes.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        self.events
            .emit("container", action, &record.id, attributes);
    }
}

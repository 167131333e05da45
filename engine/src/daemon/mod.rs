//! The owner of all state: containers, images by name, volumes, networks, events.
//!
//! One [`Daemon`] per process. Its methods are the Docker API's verbs; `api` only translates. Blocking work (disk,
//! shims, netlink) goes through [`Daemon::block`]; locks are short and never held across an await. Containers belong
//! to their shims, so a daemon may die and come back: `recover` finds them again.

mod config;
mod config_access;
mod config_cluster;
mod config_defaults;
mod config_error;
mod config_life;
mod config_network;
mod duration;
mod error;
mod events;
mod filters;
mod names;

mod admit;
mod sysinfo;

mod attach;
mod block_devices;
mod container;
mod create;
mod exec;
mod exits;
mod frames;
mod health;
mod host;
mod init_layer;
mod inspect;
mod list;
mod log_driver;
mod logs;
mod metrics;
mod pause;
mod platform;
mod recover;
mod reload;
mod remove;
mod restart;
mod rootless;
mod size;
mod start;
mod stats;
mod stop;
mod top;
mod wish;

mod build;
mod build_cache;
mod build_fetch;
mod build_prune;
mod build_report;
mod build_run;
mod commit;
mod files;
mod image_family;
mod image_remove;

mod images;
mod mount_points;
mod networks;
mod progress;
mod propagation;
mod pull;
mod push;
mod reach;
mod registries;
mod system;
mod volume_options;
mod volume_seed;
mod volumes;

pub use attach::{AttachOptions, Attached};
pub use build::{BuildOptions, Intermediate, PreparedBuild, PullPolicy};
pub use build_cache::CacheTarget;
pub use build_prune::{CACHE_FILTERS, CachePrune, CachePruned};
pub use build_report::{BuildReport, ReportStyle};
pub use commit::CommitOptions;
pub use config::{Config, EngineArgs};
pub use config_access::{AccessConfig, TlsFiles};
pub use config_cluster::{Advertise, ClusterConfig};
pub use config_defaults::DefaultsConfig;
pub use config_error::ConfigError;
pub use config_life::LifeConfig;
pub use config_network::NetworkConfig;
pub use error::{DaemonError, ErrorKind};
pub use filters::Filters;
pub use frames::{Output, StreamReader, StreamWriter};
pub use host::Host;
pub use image_family::IntermediateImages;
pub use image_remove::Force;
pub use images::IMAGE_FILTERS;
pub use inspect::Sizes;
pub use list::{LIST_FILTERS, ListOptions};
pub use logs::{LogLine, LogOptions};
pub use progress::ProgressSink;
pub use pull::{PullRequest, PulledTags};
pub use push::PushRequest;
pub use remove::RemoveOptions;
pub use rootless::Rootless;
pub use stop::WaitCondition;
pub use system::{API_VERSION, MIN_API_VERSION, event_matches, parse_time};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use kernel::lock::FileLock;

use crate::registry::Settings;
use crate::runtime::launch::Paths;
use crate::stage::Stage;
use crate::store::{Records, Store};

use container::{Container, ContainerRecord};

/// The engine's state.
#[derive(Debug)]
pub struct Daemon {
    config: reload::Live,
    metrics: metrics::Metrics,
    id: String,
    stage: Stage,
    paths: Paths,
    store: Store,
    records: Records<ContainerRecord>,
    containers: RwLock<BTreeMap<String, Arc<Container>>>,
    execs: Mutex<BTreeMap<String, Arc<exec::Exec>>>,
    events: events::Events,
    volumes: volumes::Volumes,
    networks: networks::Networks,
    /// One change of image names at a time.
    naming: tokio::sync::Mutex<()>,
    /// How registries are reached.
    registries: Settings,
    /// Of an ordinary user's engine: the way to the host's ports.
    door: Option<crate::rootless::Door>,
    _lock: FileLock,
}

impl Daemon {
    /// Opens the data root, and finds the containers that a former daemon started.
    pub async fn open(config: Config) -> Result<Arc<Self>, DaemonError> {
        let daemon = tokio::task::spawn_blocking(move || Self::load(config))
            .await
            .map_err(|error| DaemonError::Panic(error.to_string()))??;
        let daemon = Arc::new(daemon);
        daemon.recover().await;
        Ok(daemon)
    }

    fn load(config: Config) -> Result<Self, DaemonError> {
        let (root, exec_root) = (&config.data_root, &config.exec_root);
        for dir in [root, exec_root] {
            std::fs::create_dir_all(dir)
                .map_err(DaemonError::io(format!("make {}", dir.display())))?;
        }
        let lock = FileLock::try_now(&root.join("engine.lock")).map_err(|error| {
            match error.source.kind() {
                std::io::ErrorKind::WouldBlock => DaemonError::Conflict(format!(
                    "another engine already uses {}: stop it, or choose another --data-root",
                    root.display()
                )),
                _ => error.into(),
            }
        })?;
        let mut store = Store::open(root)?;
        if let Some(quai) = &config.unpacker {
            store = store.unpacked_by(quai.clone());
        }
        if let Some(catalogue) = &config.catalogue {
            store = store.on_catalogue(Store::open_existing(catalogue)?);
        }
        let executable =
            std::env::current_exe().map_err(DaemonError::io("find the engine's own executable"))?;
        let id = load_id(&root.join("engine-id"))?;
        let stage = config
            .stage_pid
            .map_or(Stage::Host, |pid| Stage::Inner { pid });
        let registries = Settings::parse(
            &config.registry_mirrors,
            &config.insecure_registries,
            root_of(&stage),
        )
        .map_err(|error| DaemonError::Invalid(error.to_string()))?;
        let cluster = config.network.cluster.clone();
        let cluster = cluster.map(|shared| networks::Cluster::new(shared, &id, &stage));
        let networks = networks::Networks::open(&root.join("networks.json"), cluster, || {
            let routes = crate::network::routes::known(&stage, &["docker0".into()])?;
            networks::first_networks(&config.network, &id, &routes)
        })?;
        Ok(Self {
            id,
            door: config.rootless.door()?,
            stage,
            registries,
            paths: Paths {
                exec_root: exec_root.clone(),
                executable,
            },
            records: Records::open(&root.join("containers"))?,
            containers: RwLock::default(),
            execs: Mutex::default(),
            events: events::Events::open(root)?,
            volumes: volumes::Volumes::open(&root.join("volumes"))?,
            networks,
            naming: tokio::sync::Mutex::default(),
            store,
            config: reload::Live::new(config),
            metrics: metrics::Metrics::default(),
            _lock: lock,
        })
    }

    /// Runs blocking work on a thread made for it.
    async fn block<T, F>(self: &Arc<Self>, work: F) -> Result<T, DaemonError>
    where
        T: Send + 'static,
        F: FnOnce(&Arc<Self>) -> Result<T, DaemonError> + Send + 'static,
    {
        let daemon = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&daemon))
            .await
            .map_err(|error| DaemonError::Panic(error.to_string()))?
    }

    /// The folder that clients' paths are resolved in: the root of the machine, or of this host.
    fn machine_root(&self) -> PathBuf {
        root_of(&self.stage)
    }
}

fn root_of(stage: &Stage) -> PathBuf {
    match stage {
        Stage::Host => PathBuf::from("/"),
        Stage::Inner { pid } => PathBuf::from(format!("/proc/{pid}/root")),
    }
}

/// The engine's own id, made once.
fn load_id(path: &std::path::Path) -> Result<String, DaemonError> {
    if let Ok(id) = std::fs::read_to_string(path)
        && !id.trim().is_empty()
    {
        return Ok(id.trim().to_owned());
    }
    let hex = names::random_id();
    let id = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..32],
    ]
    .join("-");
    crate::store::write_atomically(path, id.as_bytes())?;
    Ok(id)
}

//! What flags and `daemon.json` say about the life of containers and of the engine.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use crate::api::types::Ulimit;

use super::config_error::ConfigError;
use super::size;

/// Flags of `quai engine` about the life of containers.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct LifeArgs {
    /// Default driver for container logs
    #[arg(long)]
    log_driver: Option<String>,
    /// Default log driver option: NAME=VALUE
    #[arg(long)]
    log_opt: Vec<String>,
    /// Default ulimit of containers: NAME=SOFT[:HARD]
    #[arg(long)]
    default_ulimit: Vec<String>,
    /// Default size of /dev/shm
    #[arg(long)]
    default_shm_size: Option<String>,
    /// Run a small init in every container
    #[arg(long)]
    init: bool,
    /// Set no-new-privileges by default
    #[arg(long)]
    no_new_privileges: bool,
    /// Whether containers outlive the engine (the default)
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    live_restore: Option<bool>,
    /// Seconds that containers have to end when the engine ends
    #[arg(long)]
    shutdown_timeout: Option<i64>,
    /// Address and port to serve metrics on
    #[arg(long)]
    metrics_addr: Option<String>,
}

/// Keys of `daemon.json` about the life of containers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct LifeFile {
    log_driver: Option<String>,
    log_opts: BTreeMap<String, String>,
    default_ulimits: BTreeMap<String, Ulimit>,
    default_shm_size: Option<Size>,
    init: Option<bool>,
    no_new_privileges: Option<bool>,
    live_restore: Option<bool>,
    shutdown_timeout: Option<i64>,
    metrics_addr: Option<String>,
    features: BTreeMap<String, bool>,
}

/// A number of bytes, or a text with a unit.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Bytes(u64),
    Text(String),
}

/// The keys, so that the others can be refused.
pub(super) const KEYS: [&str; 10] = [
    "log-driver",
    "log-opts",
    "default-ulimits",
    "default-shm-size",
    "init",
    "no-new-privileges",
    "live-restore",
    "shutdown-timeout",
    "metrics-addr",
    "features",
];

/// What containers get by default, and how long they live.
#[derive(Clone, Debug, PartialEq)]
pub struct LifeConfig {
    /// Log driver of containers that name none.
    pub log_driver: String,
    /// Options of that log driver.
    pub log_opts: BTreeMap<String, String>,
    /// rlimits of containers, by name.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Bytes of `/dev/shm`.
    pub shm_size: i64,
    /// A small init runs in containers that do not say.
    pub init: bool,
    /// Containers that do not say get no new privileges.
    pub no_new_privileges: bool,
    /// Containers outlive the engine.
    pub live_restore: bool,
    /// How long they have to end otherwise; `None` waits for ever.
    pub shutdown_timeout: Option<Duration>,
    /// Where metrics are served.
    pub metrics_addr: Option<String>,
}

impl LifeConfig {
    /// Joins flags and file; `check` refuses what is said in both places.
    pub(super) fn resolve(
        args: LifeArgs,
        file: LifeFile,
        check: impl Fn(&'static str, Option<String>, Option<String>) -> Result<(), ConfigError>,
    ) -> Result<Self, ConfigError> {
        let bool_text = |value: Option<bool>| value.map(|value| value.to_string());
        check(
            "log-driver",
            args.log_driver.clone(),
            file.log_driver.clone(),
        )?;
        check(
            "init",
            args.init.then(|| "true".into()),
            bool_text(file.init),
        )?;
        check(
            "no-new-privileges",
            args.no_new_privileges.then(|| "true".into()),
            bool_text(file.no_new_privileges),
        )?;
        check(
            "live-restore",
            bool_text(args.live_restore),
            bool_text(file.live_restore),
        )?;
        let number = |value: Option<i64>| value.map(|value| value.to_string());
        check(
            "shutdown-timeout",
            number(args.shutdown_timeout),
            number(file.shutdown_timeout),
        )?;
        check(
            "metrics-addr",
            args.metrics_addr.clone(),
            file.metrics_addr.clone(),
        )?;
        for feature in file.features.keys() {
            // The one feature of dockerd that means something here: build with or without BuildKit is the client's choice.
            if feature != "buildkit" {
                return Err(ConfigError::Unsupported {
                    key: "features",
                    value: feature.clone(),
                    remedy: "this engine has no such feature; remove it",
                });
            }
        }
        let mut ulimits = file.default_ulimits;
        for (name, limit) in &mut ulimits {
            limit.name.clone_from(name);
        }
        for text in &args.default_ulimit {
            let limit = parse_ulimit(text)?;
            ulimits.insert(limit.name.clone(), limit);
        }
        let mut log_opts = file.log_opts;
        for text in &args.log_opt {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            log_opts.insert(name.to_owned(), value.to_owned());
        }
        let log_driver = args.log_driver.or(file.log_driver);
        let log_driver = log_driver.unwrap_or_else(|| "json-file".into());
        let checked = super::log_driver::check(&log_driver, &log_opts);
        checked.map_err(|error| ConfigError::LogOptions(error.to_string()))?;
        let shm_size = match (args.default_shm_size, file.default_shm_size) {
            (Some(text), _) | (None, Some(Size::Text(text))) => bytes(&text)?,
            (None, Some(Size::Bytes(bytes))) => i64::try_from(bytes).unwrap_or(i64::MAX),
            (None, None) => 64 << 20,
        };
        let seconds = args.shutdown_timeout.or(file.shutdown_timeout);
        Ok(Self {
            log_driver,
            log_opts,
            ulimits,
            shm_size,
            init: args.init || file.init == Some(true),
            no_new_privileges: args.no_new_privileges || file.no_new_privileges == Some(true),
            live_restore: args.live_restore.or(file.live_restore).unwrap_or(true),
            shutdown_timeout: u64::try_from(seconds.unwrap_or(15))
                .ok()
                .map(Duration::from_secs),
            metrics_addr: args.metrics_addr.or(file.metrics_addr),
        })
    }
}

fn bytes(text: &str) -> Result<i64, ConfigError> {
    let bad = ConfigError::Unsupported {
        key: "default-shm-size",
        value: text.to_owned(),
        remedy: "write a number of bytes, or one with k, m or g",
    };
    let size = size::binary(text)
        .ok()
        .and_then(|size| i64::try_from(size).ok());
    size.ok_or(bad)
}

fn parse_ulimit(text: &str) -> Result<Ulimit, ConfigError> {
    let bad = || ConfigError::Unsupported {
        key: "default-ulimit",
        value: text.to_owned(),
        remedy: "write NAME=SOFT[:HARD]",
    };
    let (name, limits) = text.split_once('=').ok_or_else(bad)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| text.parse::<i64>().map_err(|_| bad());
    Ok(Ulimit {
        name: name.to_owned(),
        soft: number(soft)?,
        hard: number(hard)?,
    })
}

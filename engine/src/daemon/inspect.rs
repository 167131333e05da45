//! `docker inspect` of a container.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::types::{
    ContainerInspect, ContainerState, GraphDriver, HostConfig, NetworkSettings, PortBinding,
};
use crate::runtime::mounts::{MASKED, READ_ONLY};
use crate::store::{OverlayPlan, tree_size};

use super::container::{ContainerRecord, State};
use super::{Daemon, DaemonError, wish};

/// What Docker writes for a time that has not come.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Whether sizes are computed, which reads the whole writable layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// They are.
    Computed,
    /// They are left out.
    Skipped,
}

impl Daemon {
    /// All that is known about a container.
    pub async fn inspect(
        self: &Arc<Self>,
        text: &str,
        sizes: Sizes,
    ) -> Result<ContainerInspect, DaemonError> {
        let container = self.container(text)?;
        self.block(move |daemon| daemon.inspect_now(&container.record(), sizes))
            .await
    }

    fn inspect_now(
        &self,
        record: &ContainerRecord,
        sizes: Sizes,
    ) -> Result<ContainerInspect, DaemonError> {
        let dir = self.container_dir(&record.id);
        let layers: Result<Vec<_>, _> = record
            .layers
            .iter()
            .rev()
            .map(|chain| self.store.layer(chain))
            .collect();
        let layers = layers?;
        let image_size: u64 = layers.iter().map(|layer| layer.record.size).sum();
        let plan = OverlayPlan::new(self.lowers(record)?, &dir);
        let size = |sizes| {
            (sizes == Sizes::Computed)
                .then(|| i64::try_from(tree_size(&plan.upper)).unwrap_or(i64::MAX))
        };
        let file = |name: &str| dir.join(name).display().to_string();
        let (config, host) = (&record.config, &record.host_config);
        let mut words = config
            .entrypoint
            .iter()
            .flatten()
            .chain(config.cmd.iter().flatten())
            .cloned();
        Ok(ContainerInspect {
            id: record.id.clone(),
            created: record.created.to_string(),
            path: words.next().unwrap_or_default(),
            args: words.collect(),
            state: ContainerState {
                health: record.health.clone(),
                ..state(&record.state)
            },
            image: record.image_id.to_string(),
            resolv_conf_path: file("resolv.conf"),
            hostname_path: file("hostname"),
            hosts_path: file("hosts"),
            log_path: if host.log_config.kind == "json-file" {
                self.log_path(&record.id).display().to_string()
            } else {
                String::new()
            },
            name: format!("/{}", record.name),
            restart_count: record.restart_count,
            driver: "overlay2".into(),
            platform: "linux".into(),
            exec_ids: self.running_execs(&record.id),
            host_config: told(host),
            graph_driver: GraphDriver {
                name: "overlay2".into(),
                data: wish::graph_data(&plan),
            },
            size_rw: size(sizes),
            size_root_fs: size(sizes).map(|size| size + i64::try_from(image_size).unwrap_or(0)),
            mounts: record.mounts.clone(),
            config: config.clone(),
            network_settings: network_settings(record),
            ..ContainerInspect::default()
        })
    }
}

/// The state as Docker tells it.
pub(crate) fn state(state: &State) -> ContainerState {
    let time =
        |time: Option<Timestamp>| time.map_or_else(|| NEVER.to_owned(), |time| time.to_string());
    let mut told = ContainerState {
        status: state.word().into(),
        started_at: NEVER.into(),
        finished_at: NEVER.into(),
        ..ContainerState::default()
    };
    match state {
        State::Created { error, code } => {
            told.error.clone_from(error);
            told.exit_code = (*code).into();
        }
        State::Running(running) | State::Paused(running) => {
            told.running = true;
            told.oom_killed = running.oom_killed;
            told.paused = matches!(state, State::Paused(_));
            told.pid = i32::try_from(running.pid).unwrap_or(0);
            told.started_at = running.since.to_string();
        }
        State::Restarting(ended) | State::Exited(ended) => {
            told.restarting = matches!(state, State::Restarting(_));
            told.running = told.restarting;
            told.oom_killed = ended.oom_killed;
            told.exit_code = ended.code.into();
            told.error.clone_from(&ended.error);
            told.started_at = time(ended.started_at);
            told.finished_at = ended.finished_at.to_string();
        }
    }
    told
}

/// Networks and ports as Docker tells them.
pub(crate) fn network_settings(record: &ContainerRecord) -> NetworkSettings {
    let mut ports: BTreeMap<String, Option<Vec<PortBinding>>> = BTreeMap::new();
    if record.state.process().is_some() {
        ports.extend(
            record
                .config
                .exposed_ports
                .keys()
                .map(|port| (port.clone(), None)),
        );
        for (port, bindings) in &record.published {
            ports.insert(port.clone(), Some(bindings.clone()));
        }
    }
    let default = record.endpoints.get("bridge").cloned().unwrap_or_default();
    NetworkSettings {
        sandbox_key: record
            .state
            .process()
            .map_or_else(String::new, |p| format!("/proc/{}/ns/net", p.pid)),
        ports,
        endpoint_id: default.endpoint_id,
        gateway: default.gateway,
        ip_address: default.ip_address,
        ip_prefix_len: default.ip_prefix_len,
        mac_address: default.mac_address,
        ipv6_gateway: default.ipv6_gateway,
        global_ipv6_address: default.global_ipv6_address,
        global_ipv6_prefix_len: default.global_ipv6_prefix_len,
        networks: record.endpoints.clone(),
        ..NetworkSettings::default()
    }
}

/// The wish as Docker tells it: with the usual paths where none were named.
fn told(host: &HostConfig) -> HostConfig {
    let mut host = host.clone();
    if !host.privileged {
        let list = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        host.masked_paths.get_or_insert_with(|| list(&MASKED));
        host.readonly_paths.get_or_insert_with(|| list(&READ_ONLY));
    }
    host
}

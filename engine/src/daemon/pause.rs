//! `pause`, `unpause` and `update`: what is done to a container's cgroup.

use std::sync::Arc;

use crate::api::types::{ContainerUpdated, HostConfig, RestartPolicy};
use crate::runtime::cgroups;

use super::admit::{self, Occasion};
use super::container::{Container, State, not_running};
use super::sysinfo::SysInfo;
use super::{Daemon, DaemonError, wish};

impl Daemon {
    /// Freezes a running container.
    pub async fn pause(self: &Arc<Self>, text: &str) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let _turn = container.turn.lock().await;
        let frozen = Arc::clone(&container);
        self.block(move |daemon| {
            let running = match frozen.lock().record.state.clone() {
                State::Running(running) => running,
                State::Paused(_) => {
                    return Err(DaemonError::Conflict(format!(
                        "Container {} is already paused",
                        frozen.id
                    )));
                }
                _ => return Err(not_running(&frozen.id)),
            };
            cgroups::freeze(&daemon.group_path(&frozen.record())).map_err(|error| {
                if error.source.kind() != std::io::ErrorKind::Unsupported {
                    return error.into();
                }
                DaemonError::Refused(format!(
                    "Cannot pause container {}: this engine may use no control groups",
                    frozen.id
                ))
            })?;
            frozen.lock().record.state = State::Paused(running);
            frozen.end_monitor();
            daemon.save(&frozen)?;
            daemon.tell(&frozen.record(), "pause", &[]);
            Ok(())
        })
        .await
    }

    /// Lets a frozen container go on.
    pub async fn unpause(self: &Arc<Self>, text: &str) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let _turn = container.turn.lock().await;
        if !matches!(container.lock().record.state, State::Paused(_)) {
            return Err(DaemonError::Refused(format!(
                "Container {} is not paused",
                container.id
            )));
        }
        self.thaw(&container).await
    }

    /// Thaws a container whose turn the caller holds.
    pub(crate) async fn thaw(
        self: &Arc<Self>,
        container: &Arc<Container>,
    ) -> Result<(), DaemonError> {
        let thawed = Arc::clone(container);
        self.block({
            let container = Arc::clone(container);
            move |daemon| {
                cgroups::thaw(&daemon.group_path(&container.record()))?;
                {
                    let mut inner = container.lock();
                    if let State::Paused(running) = inner.record.state.clone() {
                        inner.record.state = State::Running(running);
                    }
                }
                daemon.save(&container)?;
                daemon.tell(&container.record(), "unpause", &[]);
                Ok(())
            }
        })
        .await?;
        self.monitor(&thawed);
        Ok(())
    }

    /// Changes limits and the restart policy.
    pub async fn update(
        self: &Arc<Self>,
        text: &str,
        mut wanted: HostConfig,
    ) -> Result<ContainerUpdated, DaemonError> {
        let container = self.container(text)?;
        let _turn = container.turn.lock().await;
        let updated = Arc::clone(&container);
        self.block(move |daemon| {
            let warnings =
                admit::limits(&mut wanted, &SysInfo::detect(), Occasion::Update)?;
            let record = updated.record();
            super::restart::check(&wanted)?;
            let refused = |why: &str| {
                DaemonError::Conflict(format!("Cannot update container {}: {why}", record.id))
            };
            if record.host_config.auto_remove
                && !matches!(wanted.restart_policy.name.as_str(), "" | "no")
            {
                return Err(refused(
                    "Restart policy cannot be updated because AutoRemove is enabled for the container",
                ));
            }
            let mut host = record.host_config.clone();
            consistent(&host, &wanted).map_err(|why| {
                DaemonError::Conflict(format!("Cannot update container {}: {why}", record.id))
            })?;
            merge(&mut host, &wanted);
            if record.state.process().is_some() {
                cgroups::update(&daemon.group_path(&record), &wish::resources(&wanted))?;
            }
            updated.lock().record.host_config = host;
            daemon.save(&updated)?;
            daemon.tell(&updated.record(), "update", &[]);
            Ok(ContainerUpdated {
                warnings: (!warnings.is_empty()).then_some(warnings),
            })
        })
        .await
    }
}

/// What the request names must go with what is there already.
fn consistent(host: &HostConfig, wanted: &HostConfig) -> Result<(), &'static str> {
    if wanted.cpu_period != 0 && host.nano_cpus != 0 {
        return Err(
            "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
        );
    }
    if wanted.cpu_quota != 0 && host.nano_cpus != 0 {
        return Err(
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        );
    }
    if wanted.nano_cpus != 0 && host.cpu_period != 0 {
        return Err(
            "Conflicting options: NanoCPUs cannot be updated as CPU Period has already been set",
        );
    }
    if wanted.nano_cpus != 0 && host.cpu_quota != 0 {
        return Err(
            "Conflicting options: NanoCPUs cannot be updated as CPU Quota has already been set",
        );
    }
    if wanted.memory != 0
        && wanted.memory_swap == 0
        && host.memory_swap > 0
        && wanted.memory > host.memory_swap
    {
        return Err(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        );
    }
    Ok(())
}

/// What the request names replaces what was there; zeros mean "as it is".
fn merge(host: &mut HostConfig, wanted: &HostConfig) {
    fn number<T: PartialEq + Default + Copy>(field: &mut T, wanted: T) {
        if wanted != T::default() {
            *field = wanted;
        }
    }
    number(&mut host.memory, wanted.memory);
    number(&mut host.memory_swap, wanted.memory_swap);
    number(&mut host.memory_reservation, wanted.memory_reservation);
    number(&mut host.cpu_shares, wanted.cpu_shares);
    number(&mut host.cpu_quota, wanted.cpu_quota);
    number(&mut host.cpu_period, wanted.cpu_period);
    number(&mut host.nano_cpus, wanted.nano_cpus);
    number(&mut host.blkio_weight, wanted.blkio_weight);
    if wanted.pids_limit.is_some() {
        host.pids_limit = wanted.pids_limit.filter(|limit| *limit > 0);
    }
    for (field, wanted) in [
        (&mut host.cpuset_cpus, &wanted.cpuset_cpus),
        (&mut host.cpuset_mems, &wanted.cpuset_mems),
    ] {
        if !wanted.is_empty() {
            field.clone_from(wanted);
        }
    }
    if wanted.restart_policy != RestartPolicy::default() {
        host.restart_policy = wanted.restart_policy.clone();
    }
}

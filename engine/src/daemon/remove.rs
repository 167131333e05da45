//! `rm` and `prune`: nothing is left of a container.

use std::sync::Arc;

use crate::api::types::PruneReport;
use crate::runtime::launch;
use crate::store::tree_size;

use super::container::{Container, State};
use super::metrics::Action;
use super::stop::ENDING;
use super::{Daemon, DaemonError, Filters};

/// How a container is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveOptions {
    /// Kill it if it runs.
    pub force: bool,
    /// Its anonymous volumes too.
    pub volumes: bool,
}

impl Daemon {
    /// Removes a container.
    pub async fn remove(
        self: &Arc<Self>,
        text: &str,
        options: RemoveOptions,
    ) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        self.remove_container(&container, options, text).await
    }

    async fn remove_container(
        self: &Arc<Self>,
        container: &Arc<Container>,
        options: RemoveOptions,
        text: &str,
    ) -> Result<(), DaemonError> {
        {
            let mut inner = container.lock();
            let state = inner.record.state.clone();
            if inner.removing {
                let text = format!("removal of container {text} is already in progress");
                return Err(DaemonError::Conflict(text));
            }
            if !options.force {
                match state {
                    State::Running(_) | State::Restarting(_) => {
                        return Err(refused(
                            &inner.record.name,
                            state.word(),
                            "stop the container before removing or force remove",
                        ));
                    }
                    State::Paused(_) => {
                        return Err(refused(
                            &inner.record.name,
                            "paused and must be unpaused first",
                            "unpause it or force remove",
                        ));
                    }
                    State::Created { .. } | State::Exited(_) => {}
                }
            }
            inner.removing = true;
        }
        let _turn = container.turn.lock().await;
        let result = self.remove_in_turn(container, options).await;
        if result.is_err() {
            container.lock().removing = false;
        }
        result
    }

    async fn remove_in_turn(
        self: &Arc<Self>,
        container: &Arc<Container>,
        options: RemoveOptions,
    ) -> Result<(), DaemonError> {
        let _timer = self.metrics.time(Action::Delete);
        if container.lock().record.state.process().is_some() {
            self.stop_in_turn(container, Some(9), Some(10)).await?;
        }
        // What is done at its end is done when `ends` says so: nobody may write into a folder that is being removed.
        let mut ends = container.ends.subscribe();
        let over = ends.wait_for(|ends| !ends.running);
        if tokio::time::timeout(ENDING, over).await.is_err() {
            tracing::warn!("the end of {} is still being recorded", container.id);
        }
        let copy = Arc::clone(container);
        self.block(move |daemon| {
            let record = copy.record();
            daemon.records.remove(&record.id)?;
            launch::forget(&record.id, &daemon.paths).map_err(DaemonError::io("clear the run"))?;
            daemon
                .containers
                .write()
                .expect("no panic while holding it")
                .remove(&record.id);
            daemon.forget_execs(&record.id);
            if options.volumes || record.host_config.auto_remove {
                daemon.remove_anonymous_volumes(&record);
            }
            daemon.tell(&record, "destroy", &[]);
            Ok(())
        })
        .await?;
        container.lock().waiting.clear();
        container.ends.send_modify(|ends| {
            ends.running = false;
            ends.removed = true;
        });
        Ok(())
    }

    /// Removes a container that was started with `--rm`, in the background.
    pub(crate) fn remove_later(self: &Arc<Self>, container: &Arc<Container>) {
        let (daemon, container) = (Arc::clone(self), Arc::clone(container));
        tokio::spawn(async move {
            let options = RemoveOptions {
                force: true,
                volumes: true,
            };
            if let Err(error) = daemon
                .remove_container(&container, options, &container.id)
                .await
            {
                tracing::warn!("cannot remove {}: {error}", container.id);
            }
        });
    }

    /// Removes all containers that do not run.
    pub async fn prune_containers(
        self: &Arc<Self>,
        filters: &Filters,
    ) -> Result<PruneReport, DaemonError> {
        let until = super::system::until(filters)?;
        let (mut deleted, mut bytes) = (Vec::new(), 0);
        for container in self.all_containers() {
            let record = container.record();
            let idle = matches!(record.state, State::Created { .. } | State::Exited(_));
            let old = until.is_none_or(|until| record.created < until);
            if !idle || !old || !filters.labels(&record.config.labels) {
                continue;
            }
            let size = tree_size(&self.container_dir(&record.id).join("upper"));
            match self
                .remove_container(&container, RemoveOptions::default(), &record.id)
                .await
            {
                Ok(()) => {
                    bytes += size;
                    deleted.push(record.id);
                }
                // It was started, or removed by somebody else, since we looked.
                Err(DaemonError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.events.emit(
            "container",
            "prune",
            "",
            [("reclaimed".to_owned(), bytes.to_string())].into(),
        );
        Ok(PruneReport {
            containers_deleted: Some(deleted),
            space_reclaimed: bytes,
            ..PruneReport::default()
        })
    }
}

fn refused(name: &str, state: &str, remedy: &str) -> DaemonError {
    DaemonError::Conflict(format!(
        "cannot remove container \"/{name}\": container is {state}: {remedy}"
    ))
}

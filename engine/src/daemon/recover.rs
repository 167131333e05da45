//! After a restart of the daemon: containers go on in their shims, and are found again.

use std::sync::Arc;

use crate::runtime::launch::{self, Found};

use super::container::{Container, Running, State};
use super::exits::lost;
use super::restart::again;
use super::{Daemon, DaemonError};

impl Daemon {
    /// Loads all records, finds live shims, ends what is gone, and starts what the policies want.
    pub(crate) async fn recover(self: &Arc<Self>) {
        let loaded = self.block(|daemon| Ok(daemon.records.load_all()?)).await;
        let records = match loaded {
            Ok(records) => records,
            Err(error) => {
                tracing::error!("{error}");
                return;
            }
        };
        for record in records {
            match record {
                Ok((_, record)) => {
                    let container = Arc::new(Container::new(record));
                    let mut containers =
                        self.containers.write().expect("no panic while holding it");
                    containers.insert(container.id.clone(), container);
                }
                // The others are served; the damaged one stays on disk for whoever can mend it.
                Err(error) => tracing::error!("a container is left out: {error}"),
            }
        }
        self.recover_networks();
        for container in self.all_containers() {
            if let Err(error) = self.recover_one(&container).await {
                tracing::error!("cannot recover {}: {error}", container.id);
            }
        }
    }

    async fn recover_one(self: &Arc<Self>, container: &Arc<Container>) -> Result<(), DaemonError> {
        let record = container.record();
        if record.state.process().is_some() {
            let id = record.id.clone();
            match self
                .block(move |daemon| Ok(launch::find(&id, &daemon.paths)))
                .await?
            {
                Found::Alive(shim, status) => {
                    {
                        let mut inner = container.lock();
                        inner.shim = Some(shim);
                        if let Some(old) = record.state.process() {
                            let running = Running {
                                pid: status.pid,
                                engine_pid: status.engine_pid,
                                since: old.since,
                                oom_killed: old.oom_killed,
                            };
                            inner.record.state = match record.state {
                                State::Paused(_) => State::Paused(running),
                                _ => State::Running(running),
                            };
                        }
                    }
                    container.ends.send_modify(|ends| ends.running = true);
                    self.watch(container);
                    self.monitor(container);
                }
                Found::Ended(exit) => self.ended(container, exit).await,
                Found::Gone => self.ended(container, lost()).await,
            }
            return Ok(());
        }
        if record.host_config.auto_remove && record.state.ended().is_some() {
            self.remove_later(container);
            return Ok(());
        }
        // Ended before: the policies that hold across a restart of the daemon. One that never ran is left alone.
        let policy = &record.host_config.restart_policy;
        let wanted = record
            .state
            .ended()
            .is_some_and(|ended| again(policy, ended.code, &record));
        if wanted {
            let turn = container.turn.lock().await;
            self.start_in_turn(container).await?;
            drop(turn);
        } else if let State::Restarting(ended) = record.state {
            container.lock().record.state = State::Exited(ended);
            self.save(container)?;
        }
        Ok(())
    }
}

//! After a restart of the daemon: containers go on in their shims, and are found again.
//!
//! Between two writes of a record anything may have happened: what the shims and the kernel say wins over the record.

use std::sync::Arc;
use std::time::Duration;

use crate::runtime::cgroups;
use crate::runtime::handshake::{Phase, Status, Target};
use crate::runtime::launch::{self, Found};

use super::container::{Container, ContainerRecord, Running, State};
use super::exits::lost;
use super::restart::again;
use super::{Daemon, DaemonError};

/// How long the processes of a container whose shim is gone may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

impl Daemon {
    /// Loads all records, finds live shims, ends what is gone, and starts what the policies want.
    pub(crate) async fn recover(self: &Arc<Self>) {
        let loaded = self
            .block(|daemon| {
                daemon.records.clear_unfinished()?;
                Ok(daemon.records.load_all()?)
            })
            .await;
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
        let swept = self.block(|daemon| {
            daemon.sweep();
            Ok(())
        });
        if let Err(error) = swept.await {
            tracing::error!("{error}");
        }
        // All are found before any is started: a policy must not start what joins a container not found yet.
        let mut idle = Vec::new();
        for container in self.all_containers() {
            match self.recover_one(&container).await {
                Ok(Recovered::Runs) => {}
                Ok(Recovered::Idle) => idle.push(container),
                Err(error) => tracing::error!("cannot recover {}: {error}", container.id),
            }
        }
        for container in idle {
            if let Err(error) = self.follow_policy(&container).await {
                tracing::error!("cannot restart {}: {error}", container.id);
            }
        }
    }

    /// Ends what belongs to containers that no record knows: their removal was cut short, or they were a build's.
    fn sweep(&self) {
        self.sweep_builds();
        let Ok(entries) = std::fs::read_dir(&self.paths.exec_root) else {
            return;
        };
        for entry in entries.flatten() {
            let Ok(id) = entry.file_name().into_string() else {
                continue;
            };
            let is_container = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            let containers = self.containers.read().expect("no panic while holding it");
            if is_container && !containers.contains_key(&id) {
                drop(containers);
                self.clear(&id);
            }
        }
    }

    /// Removes the folders of builds that a former daemon did not end.
    fn sweep_builds(&self) {
        let of = |dir: &std::path::Path| std::fs::read_dir(dir).into_iter().flatten().flatten();
        let scratch = of(&self.config.data_root.join("builds")).map(|entry| entry.path());
        let private = of(&self.paths.exec_root)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("build-"))
            .map(|entry| entry.path());
        for path in scratch.chain(private) {
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            if let Err(error) = removed {
                tracing::warn!("cannot remove {}: {error}", path.display());
            }
        }
    }

    /// Ends every process of a run and forgets the run. Blocking.
    fn clear(&self, id: &str) {
        if let Found::Alive(shim, _) = launch::find(id, &self.paths) {
            // It may end by itself meanwhile; the group is asked after it.
            let _ = shim.signal(Target::All, 9);
            let _ = shim.wait(Target::Init);
        }
        self.clear_group(id);
        if let Err(error) = launch::forget(id, &self.paths) {
            tracing::warn!("cannot clear the run of {id}: {error}");
        }
    }

    /// Ends processes that no shim looks after any more, and removes their control group. Blocking.
    pub(crate) fn clear_group(&self, id: &str) {
        let path = match self.container(id) {
            Ok(container) => self.group_path(&container.record()),
            // Nothing tells of another parent.
            Err(_) => cgroups::path(&self.stage, "", id),
        };
        let cleared = cgroups::of(&path).and_then(|group| {
            if !group.exists() {
                return Ok(());
            }
            group.kill()?;
            group.wait_empty(PATIENCE);
            group.remove()
        });
        if let Err(error) = cleared {
            tracing::warn!("something is left of the run of {id}: {error}");
        }
    }

    async fn recover_one(
        self: &Arc<Self>,
        container: &Arc<Container>,
    ) -> Result<Recovered, DaemonError> {
        let record = container.record();
        let id = record.id.clone();
        let found = self.block(move |daemon| {
            let directory = daemon.paths.container(&id);
            Ok(directory.exists().then(|| launch::find(&id, &daemon.paths)))
        });
        match (found.await?, record.state.process().is_some()) {
            (Some(Found::Alive(shim, status)), _) => match &status.phase {
                Phase::Running { .. } => {
                    container.lock().shim = Some(shim);
                    self.adopt(container, &record, &status)?;
                    return Ok(Recovered::Runs);
                }
                // It was prepared and never started: nobody waits for it any more.
                Phase::Created => {
                    let id = record.id.clone();
                    self.block(move |daemon| {
                        daemon.clear(&id);
                        Ok(())
                    })
                    .await?;
                    if record.state.process().is_none() {
                        return Ok(Recovered::Idle);
                    }
                    self.ended(container, lost()).await;
                }
                Phase::Exited(exit) => self.ended(container, exit.clone()).await,
            },
            (Some(Found::Ended(exit)), had_process) => {
                if !had_process && exit.started_at.is_none() {
                    launch::forget(&record.id, &self.paths)
                        .map_err(DaemonError::io("clear the former run"))?;
                    return Ok(Recovered::Idle);
                }
                self.ended(container, exit).await;
            }
            (Some(Found::Gone) | None, had_process) => {
                let id = record.id.clone();
                self.block(move |daemon| {
                    daemon.clear_group(&id);
                    launch::forget(&id, &daemon.paths)
                        .map_err(DaemonError::io("clear the former run"))
                })
                .await?;
                if !had_process {
                    return Ok(Recovered::Idle);
                }
                self.ended(container, lost()).await;
            }
        }
        // `ended` has done what the policy says.
        Ok(Recovered::Runs)
    }

    /// A container that runs is this daemon's from now on.
    fn adopt(
        self: &Arc<Self>,
        container: &Arc<Container>,
        record: &ContainerRecord,
        status: &Status,
    ) -> Result<(), DaemonError> {
        let Phase::Running { since } = status.phase else {
            return Ok(());
        };
        let known = record.state.process();
        let running = Running {
            pid: status.pid,
            engine_pid: status.engine_pid,
            since: known.map_or(since, |old| old.since),
            oom_killed: known.is_some_and(|old| old.oom_killed),
        };
        // Frozen without a word of it: for a commit, or by a `pause` that nobody was told of. It goes on; a signal would
        // not reach it otherwise, not even the one that ends it.
        let group = self.group_path(record);
        let is_paused = cgroups::is_frozen(&group) && {
            let was_told = matches!(record.state, State::Paused(_));
            if !was_told {
                cgroups::thaw(&group)?;
            }
            was_told
        };
        container.lock().record.state = if is_paused {
            State::Paused(running)
        } else {
            State::Running(running)
        };
        if known.is_none() {
            // It was started, and the daemon died before it could write so.
            super::health::begin(&mut container.lock().record);
        }
        if known.is_none() || is_paused != matches!(record.state, State::Paused(_)) {
            self.save(container)?;
        }
        container.ends.send_modify(|ends| ends.running = true);
        self.watch(container);
        self.monitor(container);
        Ok(())
    }

    /// Does what the policies that hold across a restart of the daemon say. One that never ran is left alone.
    async fn follow_policy(
        self: &Arc<Self>,
        container: &Arc<Container>,
    ) -> Result<(), DaemonError> {
        let record = container.record();
        if record.host_config.auto_remove && record.state.ended().is_some() {
            self.remove_later(container);
            return Ok(());
        }
        let policy = &record.host_config.restart_policy;
        let wanted = record
            .state
            .ended()
            .is_some_and(|ended| again(policy, ended.code, &record));
        if wanted {
            let _turn = container.turn.lock().await;
            self.start_in_turn(container).await?;
        } else if let State::Restarting(ended) = record.state {
            container.lock().record.state = State::Exited(ended);
            self.save(container)?;
        }
        Ok(())
    }
}

/// What became of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recovered {
    /// It runs, or has just been found ended.
    Runs,
    /// It had ended before.
    Idle,
}

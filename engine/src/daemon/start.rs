//! `start`: a record becomes a process.

use std::sync::Arc;

use jiff::Timestamp;

use crate::runtime::client::ShimError;
use crate::runtime::handshake::Target;
use crate::runtime::launch::{self, LaunchError};

use super::container::{Container, ContainerRecord, Ended, Running, State};
use super::metrics::Action;
use super::networks::Removal;
use super::restart::Backoff;
use super::{Daemon, DaemonError};

impl Daemon {
    /// Starts a container; one that runs is left alone.
    pub async fn start(self: &Arc<Self>, text: &str) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let _turn = container.turn.lock().await;
        self.start_by_hand(&container).await
    }

    /// Starts a container whose turn the caller holds; what the policy did before is forgotten.
    pub(crate) async fn start_by_hand(
        self: &Arc<Self>,
        container: &Arc<Container>,
    ) -> Result<(), DaemonError> {
        {
            let mut inner = container.lock();
            if inner.record.state.process().is_none() {
                inner.backoff = Backoff::default();
                inner.record.restart_count = 0;
                inner.record.stopped_by_hand = false;
            }
        }
        self.start_in_turn(container).await
    }

    /// Starts a container whose turn the caller holds.
    pub(crate) async fn start_in_turn(
        self: &Arc<Self>,
        container: &Arc<Container>,
    ) -> Result<(), DaemonError> {
        {
            let mut inner = container.lock();
            match &inner.record.state {
                State::Running(_) => {
                    return Err(DaemonError::NotModified("container already started"));
                }
                State::Paused(_) => {
                    return Err(DaemonError::Conflict(
                        "cannot start a paused container, try unpause instead".into(),
                    ));
                }
                _ if inner.removing => {
                    let text = "container is marked for removal and cannot be started";
                    return Err(DaemonError::Conflict(text.into()));
                }
                _ => inner.exit_on_next = false,
            }
        }
        let launched = {
            let container = Arc::clone(container);
            self.block(move |daemon| daemon.launch(&container)).await
        };
        match launched {
            Ok(()) => {
                self.watch(container);
                self.monitor(container);
                Ok(())
            }
            Err(error) => {
                self.start_failed(container, &error).await;
                Err(error)
            }
        }
    }

    fn launch(self: &Arc<Self>, container: &Arc<Container>) -> Result<(), DaemonError> {
        let _timer = self.metrics.time(Action::Start);
        let mut record = container.record();
        let wish = self.wish(&record)?;
        launch::forget(&record.id, &self.paths).map_err(DaemonError::io("clear the former run"))?;
        self.allocate(&mut record)?;
        {
            let mut inner = container.lock();
            inner.record.endpoints.clone_from(&record.endpoints);
            inner.record.attachments.clone_from(&record.attachments);
            inner.record.published.clone_from(&record.published);
        }
        let result = self.write_network_files(&record).and_then(|()| {
            let created = launch::create(&wish, &self.stage, &self.paths)?;
            let running = self.connect_and_run(container, &record, &created);
            if running.is_err() {
                // The program has not been executed yet; nobody else will end what waits for it.
                if let Err(error) = created.shim.signal(Target::Init, 9) {
                    tracing::debug!(
                        "the prepared container {} is gone already: {error}",
                        record.id
                    );
                }
                container.lock().shim = None;
            }
            running
        });
        if result.is_err() {
            // A shim that was killed could not end what it had made.
            self.clear_group(&record.id);
            self.disconnect(&record, Removal::Now);
            self.release(container);
        }
        result
    }

    fn connect_and_run(
        self: &Arc<Self>,
        container: &Arc<Container>,
        record: &ContainerRecord,
        created: &launch::Created,
    ) -> Result<(), DaemonError> {
        self.connect(container, record, created.engine_pid)?;
        let waiting = {
            let mut inner = container.lock();
            inner.shim = Some(created.shim.clone());
            std::mem::take(&mut inner.waiting)
        };
        // Clients that attached before the start see the output from its first byte.
        for client in waiting {
            client.connect(&created.shim);
        }
        let started = created.shim.start()?;
        let running = Running {
            pid: started.pid,
            engine_pid: started.engine_pid,
            since: started.at,
            oom_killed: false,
        };
        {
            let mut inner = container.lock();
            inner.record.state = State::Running(running);
            super::health::begin(&mut inner.record);
        }
        container.ends.send_modify(|ends| ends.running = true);
        self.save(container)?;
        self.tell(record, "start", &[]);
        Ok(())
    }

    async fn start_failed(self: &Arc<Self>, container: &Arc<Container>, error: &DaemonError) {
        let code = exit_code(error);
        let auto_remove = {
            let mut inner = container.lock();
            inner.waiting.clear();
            let text = error.to_string();
            inner.record.state = match inner.record.state.ended() {
                None => State::Created { error: text, code },
                Some(ended) => State::Exited(Ended {
                    code,
                    error: text,
                    finished_at: Timestamp::now(),
                    ..ended.clone()
                }),
            };
            inner.record.host_config.auto_remove
        };
        if let Err(error) = self.save(container) {
            tracing::error!("{error}");
        }
        container.ends.send_modify(|ends| {
            ends.code = code;
            ends.running = false;
        });
        if auto_remove {
            self.remove_later(container);
        }
    }
}

/// Docker's codes for a program that could not be executed.
fn exit_code(error: &DaemonError) -> i32 {
    match error {
        DaemonError::Shim(ShimError::Refused(refusal))
        | DaemonError::Launch(LaunchError::Refused(refusal)) => refusal.code,
        _ => 128,
    }
}

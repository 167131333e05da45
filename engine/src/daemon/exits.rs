//! What happens when a container's first process ends, and the restart policies.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::runtime::handshake::{ExitRecord, Target};
use crate::runtime::launch;

use super::container::{Container, Ended, State};
use super::networks::Removal;
use super::{Daemon, frames, restart};

impl Daemon {
    /// Waits for the end of a running container, in the background.
    pub(crate) fn watch(self: &Arc<Self>, container: &Arc<Container>) {
        let (daemon, container) = (Arc::clone(self), Arc::clone(container));
        tokio::spawn(async move {
            let exit = daemon.wait_for(&container).await;
            daemon.ended(&container, exit).await;
        });
    }

    async fn wait_for(self: &Arc<Self>, container: &Arc<Container>) -> ExitRecord {
        let directory = self.paths.container(&container.id);
        let mut pause = ASK_AGAIN;
        loop {
            let told = || self.out_of_memory(container);
            let error = match frames::wait(&directory, Target::Init, told).await {
                Ok(exit) => return exit,
                Err(error) => error,
            };
            // The shim may have ended between two words; it writes the file first.
            if let Some(exit) = launch::load_exit(&directory) {
                return exit;
            }
            if !nobody_listens(&error) {
                // A connection was cut, or we have no descriptors left: the shim tells the next one.
                tracing::debug!("asking the shim of {} again: {error}", container.id);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
                continue;
            }
            tracing::warn!("the shim of {} is gone without a word", container.id);
            // Nobody looks after its processes any more: left alone, a policy would start a second copy beside them.
            let id = container.id.clone();
            let cleared = self.block(move |daemon| {
                daemon.clear_group(&id);
                Ok(())
            });
            if let Err(error) = cleared.await {
                tracing::error!("{error}");
            }
            return lost();
        }
    }

    /// The kernel has killed a process of a container, which may go on without it.
    fn out_of_memory(&self, container: &Container) {
        let record = {
            let mut inner = container.lock();
            if let State::Running(running) | State::Paused(running) = &mut inner.record.state {
                running.oom_killed = true;
            }
            inner.record.clone()
        };
        self.tell(&record, "oom", &[]);
    }

    /// Records the end of a container and does what follows from it.
    pub(crate) async fn ended(self: &Arc<Self>, container: &Arc<Container>, exit: ExitRecord) {
        let (daemon, copy) = (Arc::clone(self), Arc::clone(container));
        let recorded = tokio::task::spawn_blocking(move || daemon.record_end(&copy, &exit)).await;
        let next = match recorded {
            Ok(next) => next,
            Err(error) => {
                tracing::error!("cannot record the end of {}: {error}", container.id);
                return;
            }
        };
        container.ends.send_modify(|ends| {
            ends.count += 1;
            ends.code = container
                .lock()
                .record
                .state
                .ended()
                .map_or(0, |ended| ended.code);
            ends.running = false;
        });
        match next {
            Next::Nothing => {}
            Next::Remove => self.remove_later(container),
            Next::Restart(pause) => self.restart_later(container, pause),
        }
    }

    fn record_end(self: &Arc<Self>, container: &Arc<Container>, exit: &ExitRecord) -> Next {
        container.end_monitor();
        let (record, next, told) = {
            let mut inner = container.lock();
            let process = inner.record.state.process();
            let since = process.map(|process| process.since);
            let told = process.is_some_and(|process| process.oom_killed);
            let ended = Ended {
                code: exit.code,
                oom_killed: exit.oom_killed || told,
                started_at: exit.started_at.or(since),
                finished_at: exit.finished_at,
                error: String::new(),
            };
            let lasted = ended
                .started_at
                .map_or(0, |start| exit.finished_at.as_second() - start.as_second());
            inner
                .backoff
                .ended(Duration::from_secs(lasted.unsigned_abs()));
            let record = &inner.record;
            let wanted = restart::again(&record.host_config.restart_policy, exit.code, record);
            let next = match () {
                () if inner.removing => Next::Nothing,
                () if record.host_config.auto_remove => Next::Remove,
                () if wanted && !inner.exit_on_next => Next::Restart(inner.backoff.pause()),
                () => Next::Nothing,
            };
            if let Next::Restart(_) = next {
                inner.record.restart_count += 1;
            }
            inner.record.state = match next {
                Next::Restart(_) => State::Restarting(ended),
                _ => State::Exited(ended),
            };
            inner.shim = None;
            (inner.record.clone(), next, told)
        };
        self.disconnect(&record, Removal::ByTheKernel);
        self.release(container);
        // Whoever finds the record of a run without a shim removes it, as is done here in a moment.
        if next != Next::Remove
            && let Err(error) = self.save(container)
        {
            tracing::error!("{error}");
        }
        if exit.oom_killed && !told {
            self.tell(&record, "oom", &[]);
        }
        let lasted = exit
            .started_at
            .map_or(0, |start| exit.finished_at.as_second() - start.as_second());
        self.tell(
            &record,
            "die",
            &[
                ("execDuration", lasted.to_string()),
                ("exitCode", exit.code.to_string()),
            ],
        );
        self.tell_networks(&record, "disconnect");
        if let Err(error) = launch::forget(&record.id, &self.paths) {
            tracing::warn!("cannot clear the run of {}: {error}", record.id);
        }
        next
    }
}

/// How long to wait before a shim that did not answer is asked again; longer each time.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Whether a connection to a shim failed because the shim has ended, and not for a reason of ours.
fn nobody_listens(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
    )
}

/// What follows from an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Remove,
    Restart(Duration),
}

/// The end of a container whose shim was killed: what the kernel did is not known, so it is the code of a kill.
pub(crate) fn lost() -> ExitRecord {
    ExitRecord {
        code: 137,
        oom_killed: false,
        started_at: None,
        finished_at: Timestamp::now(),
    }
}

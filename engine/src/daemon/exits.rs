//! What happens when a container's first process ends, and the restart policies.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::types::RestartPolicy;
use crate::runtime::handshake::{ExitRecord, Target};
use crate::runtime::launch;

use super::container::{Container, Ended, State};
use super::{Daemon, frames};

/// A run this long makes earlier failures forgotten.
const LONG_RUN: i64 = 10;

impl Daemon {
    /// Waits for the end of a running container, in the background.
    pub(crate) fn watch(self: &Arc<Self>, container: &Arc<Container>) {
        let (daemon, container) = (Arc::clone(self), Arc::clone(container));
        tokio::spawn(async move {
            let directory = daemon.paths.container(&container.id);
            let exit = match frames::wait(&directory, Target::Init).await {
                Ok(exit) => exit,
                // The shim may have ended between two words; it writes the file first.
                Err(error) => launch::load_exit(&directory).unwrap_or_else(|| {
                    tracing::warn!(
                        "the shim of {} is gone without a word: {error}",
                        container.id
                    );
                    lost()
                }),
            };
            daemon.ended(&container, exit).await;
        });
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
        let (record, next) = {
            let mut inner = container.lock();
            let since = inner.record.state.process().map(|process| process.since);
            let ended = Ended {
                code: exit.code,
                oom_killed: exit.oom_killed,
                started_at: exit.started_at.or(since),
                finished_at: exit.finished_at,
                error: String::new(),
            };
            let lasted = ended
                .started_at
                .map_or(0, |start| exit.finished_at.as_second() - start.as_second());
            inner.failures = if lasted >= LONG_RUN {
                0
            } else {
                inner.failures + 1
            };
            let policy = &inner.record.host_config.restart_policy;
            let stopped = inner.record.stopped_by_hand || inner.removing;
            let next = match () {
                () if inner.record.host_config.auto_remove && !inner.removing => Next::Remove,
                () if !stopped && again(policy, exit.code, inner.record.restart_count) => {
                    Next::Restart(pause(inner.failures))
                }
                () => Next::Nothing,
            };
            inner.record.state = match next {
                Next::Restart(_) => State::Restarting(ended),
                _ => State::Exited(ended),
            };
            inner.shim = None;
            (inner.record.clone(), next)
        };
        self.disconnect(&record);
        self.release(container);
        if let Err(error) = self.save(container) {
            tracing::error!("{error}");
        }
        if exit.oom_killed {
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

    fn restart_later(self: &Arc<Self>, container: &Arc<Container>, pause: Duration) {
        let (daemon, container) = (Arc::clone(self), Arc::clone(container));
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _turn = container.turn.lock().await;
            {
                let mut inner = container.lock();
                // Somebody may have stopped, started or removed it meanwhile.
                if !matches!(inner.record.state, State::Restarting(_)) || inner.removing {
                    return;
                }
                inner.record.restart_count += 1;
            }
            // A task cannot name its own type, so the next start is a task of its own.
            daemon.start_again(&container).await;
        });
    }

    fn start_again(
        self: &Arc<Self>,
        container: &Arc<Container>,
    ) -> futures_util::future::BoxFuture<'static, ()> {
        let (daemon, container) = (Arc::clone(self), Arc::clone(container));
        Box::pin(async move {
            if let Err(error) = daemon.start_in_turn(&container).await {
                tracing::warn!("cannot restart {}: {error}", container.id);
            }
        })
    }
}

/// What follows from an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Remove,
    Restart(Duration),
}

/// Whether the policy wants another start. A person's stop is considered by the caller.
pub(crate) fn again(policy: &RestartPolicy, code: i32, restarts: i64) -> bool {
    match policy.name.as_str() {
        "always" | "unless-stopped" => true,
        "on-failure" => {
            code != 0 && (policy.maximum_retry_count == 0 || restarts < policy.maximum_retry_count)
        }
        _ => false,
    }
}

/// Doubling from a tenth of a second to a minute.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(100 << failures.saturating_sub(1).min(10)).min(Duration::from_secs(60))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_restart_what_they_should() {
        let policy = |name: &str, most| RestartPolicy {
            name: name.into(),
            maximum_retry_count: most,
        };
        assert!(again(&policy("always", 0), 0, 99));
        assert!(!again(&policy("no", 0), 1, 0));
        assert!(!again(&policy("on-failure", 0), 0, 0));
        assert!(again(&policy("on-failure", 2), 1, 1));
        assert!(!again(&policy("on-failure", 2), 1, 2));
    }

    #[test]
    fn the_pause_grows_to_a_minute() {
        assert_eq!(pause(1), Duration::from_millis(100));
        assert_eq!(pause(2), Duration::from_millis(200));
        assert_eq!(pause(40), Duration::from_secs(60));
    }
}

//! Restart policies: whether a container that ended is started again, and after which pause.

use std::sync::Arc;
use std::time::Duration;

use crate::api::types::{HostConfig, RestartPolicy};

use super::container::{Container, ContainerRecord, State};
use super::{Daemon, DaemonError};

/// A run this long makes earlier pauses forgotten.
const LONG_RUN: Duration = Duration::from_secs(10);
/// The first pause.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// The growing pause between restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    /// Takes a run that has ended into account.
    pub(crate) fn ended(&mut self, lasted: Duration) {
        self.0 = if lasted >= LONG_RUN || self.0.is_zero() {
            FIRST
        } else {
            (self.0 * 2).min(LONGEST)
        };
    }

    /// How long to wait before the next start.
    pub(crate) fn pause(self) -> Duration {
        self.0
    }
}

/// Whether the policy wants another start after such an end.
///
/// `always` does not care whether a person stopped it: that holds until the next start of the daemon, and
/// `Inner::exit_on_next` says so while this one runs.
pub(crate) fn again(policy: &RestartPolicy, code: i32, record: &ContainerRecord) -> bool {
    match policy.name.as_str() {
        "always" => true,
        "unless-stopped" => !record.stopped_by_hand,
        "on-failure" => {
            let most = policy.maximum_retry_count;
            code != 0 && (most == 0 || record.restart_count < most)
        }
        _ => false,
    }
}

/// Refuses a policy that makes no sense, in Docker's words.
pub(crate) fn check(host: &HostConfig) -> Result<(), DaemonError> {
    let RestartPolicy {
        name,
        maximum_retry_count: most,
    } = &host.restart_policy;
    let why = match (name.as_str(), *most) {
        ("" | "no" | "always" | "unless-stopped", 1..) => {
            "maximum retry count can only be used with 'on-failure'".to_owned()
        }
        ("" | "no" | "always" | "unless-stopped", i64::MIN..=-1) => {
            "maximum retry count can only be used with 'on-failure' and cannot be negative"
                .to_owned()
        }
        ("on-failure", i64::MIN..=-1) => "maximum retry count cannot be negative".to_owned(),
        ("" | "no" | "always" | "unless-stopped" | "on-failure", _) => return Ok(()),
        _ => format!(
            "unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        ),
    };
    Err(DaemonError::Invalid(format!(
        "invalid restart policy: {why}"
    )))
}

impl Daemon {
    /// Starts a container again after a pause, unless somebody decides otherwise meanwhile.
    pub(crate) fn restart_later(self: &Arc<Self>, container: &Arc<Container>, pause: Duration) {
        let (daemon, container) = (Arc::clone(self), Arc::clone(container));
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _turn = container.turn.lock().await;
            {
                let inner = container.lock();
                // Somebody may have stopped, started or removed it meanwhile.
                if !matches!(inner.record.state, State::Restarting(_)) || inner.removing {
                    return;
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_a_minute_and_a_long_run_resets_it() {
        let mut backoff = Backoff::default();
        let mut after = |lasted: u64| {
            backoff.ended(Duration::from_secs(lasted));
            backoff.pause()
        };
        assert_eq!(after(0), FIRST);
        assert_eq!(after(0), FIRST * 2);
        for _ in 0..20 {
            after(1);
        }
        assert_eq!(after(1), LONGEST);
        assert_eq!(after(10), FIRST);
    }

    #[test]
    fn policies_are_checked_in_dockers_words() {
        let check = |name: &str, most| {
            let restart_policy = RestartPolicy {
                name: name.into(),
                maximum_retry_count: most,
            };
            let host = HostConfig {
                restart_policy,
                ..HostConfig::default()
            };
            check(&host).err().map(|error| error.to_string())
        };
        assert_eq!(check("on-failure", 3), None);
        assert_eq!(check("always", 0), None);
        for (name, most, why) in [
            (
                "always",
                3,
                "maximum retry count can only be used with 'on-failure'",
            ),
            ("on-failure", -1, "maximum retry count cannot be negative"),
            (
                "foo",
                0,
                "unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
            ),
        ] {
            assert_eq!(
                check(name, most),
                Some(format!("invalid restart policy: {why}"))
            );
        }
    }
}

//! Health tests: a command that runs in the container again and again and tells how it is.
//!
//! The times and the verdict are pure (`HealthPlan`, `judge`); the loop runs the command as any exec and tells
//! `health_status` when the word changes. A container that is stopped or paused counts as unhealthy, as in Docker.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::types::{
    ContainerConfig, CreateExec, Health, HealthConfig, HealthcheckResult, StartExec,
};
use crate::runtime::handshake::Target;

use super::container::{Container, ContainerRecord, State};
use super::{Daemon, DaemonError, Output};

/// Results that are kept.
const LOG_MAX: usize = 5;
/// Bytes of output that are kept of one test.
const OUTPUT_MAX: usize = 4096;
/// The shortest time that may be asked for, nanoseconds.
const SHORTEST: i64 = 1_000_000;

/// What is run, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HealthPlan {
    argv: Vec<String>,
    interval: Duration,
    timeout: Duration,
    start_period: Duration,
    start_interval: Duration,
    retries: i64,
}

impl HealthPlan {
    /// The plan of a configuration; `None` when nothing is tested.
    fn of(config: &ContainerConfig) -> Option<Self> {
        let check = config.healthcheck.as_ref()?;
        let (kind, words) = check.test.split_first()?;
        let argv = match (kind.as_str(), words) {
            ("CMD", words) => words.to_vec(),
            ("CMD-SHELL", words) => {
                let shell = config.shell.clone().filter(|shell| !shell.is_empty());
                let mut argv = shell.unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into()]);
                argv.extend_from_slice(words);
                argv
            }
            _ => return None,
        };
        let time = |nanoseconds: i64, otherwise: u64| match u64::try_from(nanoseconds) {
            Ok(given @ 1..) => Duration::from_nanos(given),
            _ => Duration::from_secs(otherwise),
        };
        let interval = time(check.interval, 30);
        (!argv.is_empty()).then(|| Self {
            argv,
            interval,
            timeout: time(check.timeout, 30),
            start_period: time(check.start_period, 0),
            start_interval: match check.start_interval {
                0 => interval,
                given => time(given, 5),
            },
            retries: if check.retries > 0 { check.retries } else { 3 },
        })
    }

    /// How long to wait before the next test.
    fn pause(&self, status: &str, since_start: Duration) -> Duration {
        if status == "starting" && since_start < self.start_period {
            self.start_interval
        } else {
            self.interval
        }
    }
}

/// Takes one result into account.
fn judge(health: &mut Health, plan: &HealthPlan, result: HealthcheckResult, since_start: Duration) {
    let healthy = result.exit_code == 0;
    health.log.push(result);
    let surplus = health.log.len().saturating_sub(LOG_MAX);
    health.log.drain(..surplus);
    if healthy {
        health.failing_streak = 0;
        "healthy".clone_into(&mut health.status);
        return;
    }
    if health.status == "starting" && since_start < plan.start_period {
        return;
    }
    health.failing_streak += 1;
    if health.failing_streak >= plan.retries {
        "unhealthy".clone_into(&mut health.status);
    }
}

/// What the request leaves out comes from the image.
pub(crate) fn inherit(own: &mut HealthConfig, image: HealthConfig) {
    if own.test.is_empty() {
        own.test = image.test;
    }
    for (own, image) in [
        (&mut own.interval, image.interval),
        (&mut own.timeout, image.timeout),
        (&mut own.start_period, image.start_period),
        (&mut own.start_interval, image.start_interval),
        (&mut own.retries, image.retries),
    ] {
        if *own == 0 {
            *own = image;
        }
    }
}

/// Refuses absurd times.
pub(crate) fn check(config: &HealthConfig) -> Result<(), DaemonError> {
    for (name, time) in [
        ("Interval", config.interval),
        ("Timeout", config.timeout),
        ("StartPeriod", config.start_period),
        ("StartInterval", config.start_interval),
    ] {
        if time != 0 && time < SHORTEST {
            return Err(DaemonError::Invalid(format!(
                "{name} in Healthcheck cannot be less than 1ms"
            )));
        }
    }
    if config.retries < 0 {
        let text = "Retries in Healthcheck cannot be negative";
        return Err(DaemonError::Invalid(text.into()));
    }
    Ok(())
}

/// A container begins to run: nothing is known about its health yet. Former results stay to be read.
pub(crate) fn begin(record: &mut ContainerRecord) {
    if HealthPlan::of(&record.config).is_none() {
        return;
    }
    let health = record.health.get_or_insert_default();
    "starting".clone_into(&mut health.status);
    health.failing_streak = 0;
}

impl Container {
    /// Ends the tests of a container that does not run any more.
    pub(crate) fn end_monitor(&self) {
        let mut inner = self.lock();
        if let Some(monitor) = inner.monitor.take() {
            monitor.abort();
        }
        if let Some(health) = &mut inner.record.health {
            "unhealthy".clone_into(&mut health.status);
        }
    }
}

impl Daemon {
    /// Tests the health of a running container from now on, in the background.
    pub(crate) fn monitor(self: &Arc<Self>, container: &Arc<Container>) {
        let Some(plan) = HealthPlan::of(&container.lock().record.config) else {
            return;
        };
        let (daemon, watched) = (Arc::clone(self), Arc::clone(container));
        let task = tokio::spawn(async move {
            while let Some(pause) = watched.next_pause(&plan) {
                tokio::time::sleep(pause).await;
                daemon.probe(&watched, &plan).await;
            }
        });
        let mut inner = container.lock();
        let former = inner.monitor.replace(task.abort_handle());
        if let Some(former) = former {
            former.abort();
        }
    }

    async fn probe(self: &Arc<Self>, container: &Arc<Container>, plan: &HealthPlan) {
        let start = Timestamp::now();
        let outcome = self.run_probe(container, plan).await;
        let (exit_code, output) = outcome.unwrap_or_else(|error| {
            tracing::warn!("health check for container {}: {error}", container.id);
            let text = error.unrunnable_exec();
            (-1, text.unwrap_or_else(|| error.to_string()))
        });
        self.metrics.health_check(exit_code);
        let result = HealthcheckResult {
            start: start.to_string(),
            end: Timestamp::now().to_string(),
            exit_code,
            output,
        };
        let changed = {
            let mut inner = container.lock();
            let State::Running(running) = &inner.record.state else {
                return;
            };
            let since_start = start.duration_since(running.since);
            let since_start = Duration::try_from(since_start).unwrap_or_default();
            let Some(health) = &mut inner.record.health else {
                return;
            };
            let before = health.status.clone();
            judge(health, plan, result, since_start);
            (before != health.status).then(|| health.status.clone())
        };
        if let Some(status) = changed {
            let told = Arc::clone(container);
            let saved = self.block(move |daemon| {
                daemon.tell(&told.record(), &format!("health_status: {status}"), &[]);
                daemon.save(&told)
            });
            if let Err(error) = saved.await {
                tracing::error!("{error}");
            }
        }
    }

    /// Runs one test: its exit code, and the beginning of what it printed.
    async fn run_probe(
        self: &Arc<Self>,
        container: &Arc<Container>,
        plan: &HealthPlan,
    ) -> Result<(i64, String), DaemonError> {
        let request = CreateExec {
            cmd: plan.argv.clone(),
            attach_stdout: true,
            attach_stderr: true,
            ..CreateExec::default()
        };
        let id = self.create_exec(&container.id, request)?;
        let probe = Probe {
            daemon: Arc::clone(self),
            container: Arc::clone(container),
            id,
        };
        let mut printed = Vec::new();
        let run = async {
            let streams = self
                .start_exec(&probe.id, StartExec::default(), None)
                .await?;
            let Some((mut reader, _writer)) = streams else {
                return Ok(-1);
            };
            while let Ok(Some(output)) = reader.next().await {
                match output {
                    Output::Stdout(bytes) | Output::Stderr(bytes) => {
                        let room = (OUTPUT_MAX + 1).saturating_sub(printed.len());
                        printed.extend_from_slice(&bytes[..bytes.len().min(room)]);
                    }
                    Output::Exited(_) => break,
                }
            }
            Arc::clone(self).exec_recorded(probe.id.clone()).await;
            Ok(self.inspect_exec(&probe.id)?.exit_code.unwrap_or(-1))
        };
        let ended: Result<Result<i64, DaemonError>, _> =
            tokio::time::timeout(plan.timeout, run).await;
        let text = shortened(&printed);
        match ended {
            Ok(code) => Ok((code?, text)),
            Err(_) => {
                let limit = super::duration::words(plan.timeout);
                let more = if text.is_empty() { "" } else { ": " };
                let text = format!("Health check exceeded timeout ({limit}){more}{text}");
                Ok((-1, text))
            }
        }
    }
}

impl Container {
    /// How long to wait before the next test; `None` when it does not run.
    fn next_pause(&self, plan: &HealthPlan) -> Option<Duration> {
        let inner = self.lock();
        let State::Running(running) = &inner.record.state else {
            return None;
        };
        let since = Timestamp::now().duration_since(running.since);
        let status = inner.record.health.as_ref()?.status.as_str();
        Some(plan.pause(status, Duration::try_from(since).unwrap_or_default()))
    }
}

/// One test that runs. Dropping it ends its process, if it has not ended, and forgets it.
struct Probe {
    daemon: Arc<Daemon>,
    container: Arc<Container>,
    id: String,
}

impl Drop for Probe {
    fn drop(&mut self) {
        let running = self
            .daemon
            .inspect_exec(&self.id)
            .is_ok_and(|exec| exec.exit_code.is_none());
        if running && let Ok(shim) = self.container.shim() {
            let (daemon, id) = (Arc::clone(&self.daemon), self.id.clone());
            tokio::task::spawn_blocking(move || {
                // It may end by itself meanwhile.
                let _ = shim.signal(Target::Exec(id.clone()), 9);
                daemon.forget_exec(&id);
            });
        } else {
            self.daemon.forget_exec(&self.id);
        }
    }
}

fn shortened(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(&printed[..printed.len().min(OUTPUT_MAX)]);
    if printed.len() > OUTPUT_MAX {
        format!("{text}...")
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(test: &[&str]) -> Option<HealthPlan> {
        let check = HealthConfig {
            test: test.iter().map(|word| (*word).to_owned()).collect(),
            start_period: 10_000_000_000,
            start_interval: 5_000_000_000,
            retries: 2,
            ..HealthConfig::default()
        };
        HealthPlan::of(&ContainerConfig {
            healthcheck: Some(check),
            ..ContainerConfig::default()
        })
    }

    fn result(exit_code: i64) -> HealthcheckResult {
        HealthcheckResult {
            exit_code,
            ..HealthcheckResult::default()
        }
    }

    #[test]
    fn a_test_is_a_command_or_a_line_of_the_shell() {
        assert_eq!(plan(&["CMD", "a", "b"]).unwrap().argv, ["a", "b"]);
        let line = plan(&["CMD-SHELL", "a b"]).unwrap();
        assert_eq!(line.argv, ["/bin/sh", "-c", "a b"]);
        assert!(plan(&["NONE"]).is_none() && plan(&[]).is_none());
    }

    #[test]
    fn failures_count_after_the_start_period_or_the_first_success() {
        let plan = plan(&["CMD", "x"]).unwrap();
        let mut health = Health {
            status: "starting".into(),
            ..Health::default()
        };
        let (early, late) = (Duration::from_secs(1), Duration::from_secs(11));
        judge(&mut health, &plan, result(1), early);
        assert_eq!(
            (health.status.as_str(), health.failing_streak),
            ("starting", 0)
        );
        judge(&mut health, &plan, result(0), early);
        assert_eq!(health.status, "healthy");
        judge(&mut health, &plan, result(1), early);
        assert_eq!(
            (health.status.as_str(), health.failing_streak),
            ("healthy", 1)
        );
        judge(&mut health, &plan, result(-1), late);
        assert_eq!(
            (health.status.as_str(), health.failing_streak),
            ("unhealthy", 2)
        );
        judge(&mut health, &plan, result(0), late);
        judge(&mut health, &plan, result(0), late);
        assert_eq!(
            (health.status.as_str(), health.log.len()),
            ("healthy", LOG_MAX)
        );
    }

    #[test]
    fn tests_come_faster_while_it_starts() {
        let plan = plan(&["CMD", "x"]).unwrap();
        let early = Duration::from_secs(1);
        assert_eq!(plan.pause("starting", early), Duration::from_secs(5));
        assert_eq!(plan.pause("healthy", early), Duration::from_secs(30));
        let late = Duration::from_secs(11);
        assert_eq!(plan.pause("starting", late), Duration::from_secs(30));
    }

    #[test]
    fn the_image_fills_what_the_request_leaves_out() {
        let mut own = HealthConfig {
            interval: 5,
            ..HealthConfig::default()
        };
        let image = HealthConfig {
            test: vec!["CMD".into(), "x".into()],
            interval: 9,
            retries: 7,
            ..HealthConfig::default()
        };
        inherit(&mut own, image);
        assert_eq!((own.test.len(), own.interval, own.retries), (2, 5, 7));
    }
}

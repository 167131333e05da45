//! `stop`, `kill`, `restart`, `pause`, `wait`: what is done to a running container.

use std::sync::Arc;
use std::time::Duration;

use crate::api::types::ContainerWait;
use crate::runtime::client::ShimError;
use crate::runtime::handshake::Target;
use crate::runtime::request::TerminalSize;

use super::container::{Container, State, not_running};
use super::{Daemon, DaemonError};

/// Seconds between the stop signal and the kill, unless said otherwise.
const GRACE: i64 = 10;
/// How long a container that was killed may take to end.
pub(super) const ENDING: Duration = Duration::from_secs(10);

/// What a waiting client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitCondition {
    /// No process exists: at once for a container that has never run.
    NotRunning,
    /// The next end from now on.
    NextExit,
    /// It is gone.
    Removed,
}

impl WaitCondition {
    /// Reads the `condition` parameter.
    pub fn parse(text: Option<&str>) -> Result<Self, DaemonError> {
        match text.unwrap_or_default() {
            "" | "not-running" => Ok(Self::NotRunning),
            "next-exit" => Ok(Self::NextExit),
            "removed" => Ok(Self::Removed),
            other => Err(DaemonError::Invalid(format!(
                "invalid condition: \"{other}\""
            ))),
        }
    }
}

impl Daemon {
    /// Asks a container to end, and kills it when it does not.
    pub async fn stop(
        self: &Arc<Self>,
        text: &str,
        signal: Option<&str>,
        grace: Option<i64>,
    ) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let signal = signal.map(parse_signal).transpose()?;
        // The policy must not start it again while we wait for our turn.
        let waits_for_restart = {
            let mut inner = container.lock();
            inner.record.stopped_by_hand = true;
            inner.exit_on_next = true;
            matches!(inner.record.state, State::Restarting(_))
        };
        let _turn = container.turn.lock().await;
        if waits_for_restart {
            self.give_up_restart(&container)?;
            return Ok(());
        }
        if container.lock().record.state.process().is_none() {
            return Err(DaemonError::NotModified("container already stopped"));
        }
        self.stop_in_turn(&container, signal, grace).await?;
        self.tell(&container.record(), "stop", &[]);
        Ok(())
    }

    /// Ends a container whose turn the caller holds.
    pub(crate) async fn stop_in_turn(
        self: &Arc<Self>,
        container: &Arc<Container>,
        signal: Option<i32>,
        grace: Option<i64>,
    ) -> Result<(), DaemonError> {
        let record = container.record();
        {
            let mut inner = container.lock();
            inner.record.stopped_by_hand = true;
            inner.exit_on_next = true;
        }
        let signal = match signal {
            Some(signal) => signal,
            None if record.config.stop_signal.is_empty() => 15,
            None => parse_signal(&record.config.stop_signal)?,
        };
        let mut ends = container.ends.subscribe();
        if matches!(record.state, State::Paused(_)) {
            self.thaw(container).await?;
        }
        self.signal_unless_ended(container, signal).await?;
        let grace = grace.or(record.config.stop_timeout).unwrap_or(GRACE);
        let over = async { ends.wait_for(|ends| !ends.running).await.is_ok() };
        let ended = match u64::try_from(grace) {
            Ok(seconds) => tokio::time::timeout(Duration::from_secs(seconds), over)
                .await
                .is_ok(),
            // A negative time means to wait for ever.
            Err(_) => over.await,
        };
        if !ended {
            self.signal_unless_ended(container, 9).await?;
            let mut ends = container.ends.subscribe();
            let killed = tokio::time::timeout(ENDING, ends.wait_for(|ends| !ends.running)).await;
            if killed.is_err() {
                return Err(DaemonError::Conflict(format!(
                    "cannot stop container: {}: it did not receive an exit event",
                    container.id
                )));
            }
        }
        Ok(())
    }

    fn give_up_restart(&self, container: &Arc<Container>) -> Result<(), DaemonError> {
        {
            let mut inner = container.lock();
            if let State::Restarting(ended) = inner.record.state.clone() {
                inner.record.state = State::Exited(ended);
            }
        }
        container.ends.send_modify(|ends| ends.running = false);
        self.save(container)
    }

    /// Stops a container if it runs, and starts it.
    pub async fn restart(
        self: &Arc<Self>,
        text: &str,
        signal: Option<&str>,
        grace: Option<i64>,
    ) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let signal = signal.map(parse_signal).transpose()?;
        let _turn = container.turn.lock().await;
        if container.lock().record.state.process().is_some() {
            let auto_remove =
                std::mem::replace(&mut container.lock().record.host_config.auto_remove, false);
            let stopped = self.stop_in_turn(&container, signal, grace).await;
            container.lock().record.host_config.auto_remove = auto_remove;
            stopped?;
            self.tell(&container.record(), "stop", &[]);
        }
        self.start_by_hand(&container).await?;
        self.tell(&container.record(), "restart", &[]);
        Ok(())
    }

    /// Sends a signal to a container's first process.
    pub async fn kill(
        self: &Arc<Self>,
        text: &str,
        signal: Option<&str>,
    ) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let signal = signal
            .filter(|signal| !signal.is_empty())
            .map_or(Ok(9), parse_signal)
            .map_err(|why| DaemonError::Invalid(format!("cannot kill container: {text}: {why}")))?;
        let waits_for_restart = {
            let mut inner = container.lock();
            let restarting = matches!(inner.record.state, State::Restarting(_));
            if inner.record.state.process().is_none() && !restarting {
                return Err(cannot_kill(text, &container.id));
            }
            // As in Docker: any signal is a person's wish to end it, unless it has a stop signal of its own.
            let own = &inner.record.config.stop_signal;
            let asks_to_end = signal == 9
                || own.is_empty()
                || parse_signal(own).is_ok_and(|stop_signal| stop_signal == signal);
            inner.exit_on_next |= asks_to_end;
            inner.record.stopped_by_hand = true;
            restarting
        };
        if waits_for_restart {
            let _turn = container.turn.lock().await;
            if matches!(container.lock().record.state, State::Restarting(_)) {
                return self.give_up_restart(&container);
            }
        }
        self.save(&container)?;
        if signal == 9 {
            let paused = matches!(container.lock().record.state, State::Paused(_));
            if paused {
                self.thaw(&container).await?;
            }
        }
        let mut ends = container.ends.subscribe();
        self.signal(&container, signal).await?;
        if signal == 9 {
            let over = ends.wait_for(|ends| !ends.running);
            if tokio::time::timeout(ENDING, over).await.is_err() {
                tracing::warn!(
                    "container {} has not ended 10 s after its kill",
                    container.id
                );
            }
        }
        Ok(())
    }

    /// The same to a container that is to end: where its shim has ended, so does it, whoever watches it sees to that.
    async fn signal_unless_ended(
        self: &Arc<Self>,
        container: &Arc<Container>,
        signal: i32,
    ) -> Result<(), DaemonError> {
        let mut ends = container.ends.subscribe();
        let Err(error) = self.signal(container, signal).await else {
            return Ok(());
        };
        let is_gone = matches!(
            error,
            DaemonError::Shim(ShimError::Unreachable { .. } | ShimError::Broken { .. })
        );
        let is_gone = is_gone || container.lock().record.state.process().is_none();
        let over = ends.wait_for(|ends| !ends.running);
        if is_gone && tokio::time::timeout(ENDING, over).await.is_ok() {
            return Ok(());
        }
        Err(error)
    }

    async fn signal(
        self: &Arc<Self>,
        container: &Arc<Container>,
        signal: i32,
    ) -> Result<(), DaemonError> {
        let shim = container.shim()?;
        let record = container.record();
        self.block(move |daemon| {
            shim.signal(Target::Init, signal)?;
            daemon.tell(&record, "kill", &[("signal", signal.to_string())]);
            Ok(())
        })
        .await
    }

    /// Changes the size of a container's terminal.
    pub async fn resize(
        self: &Arc<Self>,
        text: &str,
        cols: u16,
        rows: u16,
    ) -> Result<(), DaemonError> {
        let container = self.container(text)?;
        let shim = container.shim()?;
        self.block(move |daemon| {
            shim.resize(Target::Init, TerminalSize { cols, rows })?;
            let more = [("height", rows.to_string()), ("width", cols.to_string())];
            daemon.tell(&container.record(), "resize", &more);
            Ok(())
        })
        .await
    }

    /// Waits; the id is looked up at once, so that an unknown container is an error and not an endless wait.
    pub fn wait(
        &self,
        text: &str,
        condition: WaitCondition,
    ) -> Result<impl Future<Output = ContainerWait> + Send + use<>, DaemonError> {
        let container = self.container(text)?;
        let mut ends = container.ends.subscribe();
        let before = ends.borrow().count;
        Ok(async move {
            let reached = ends.wait_for(|ends| match condition {
                _ if ends.removed => true,
                WaitCondition::NotRunning => !ends.running,
                WaitCondition::NextExit => ends.count > before,
                WaitCondition::Removed => false,
            });
            let code = reached.await.map_or(0, |ends| ends.code);
            ContainerWait {
                status_code: code.into(),
                error: None,
            }
        })
    }
}

fn cannot_kill(text: &str, id: &str) -> DaemonError {
    DaemonError::Conflict(format!(
        "cannot kill container: {text}: {}",
        not_running(id)
    ))
}

/// `9`, `KILL`, `SIGKILL`, `RTMIN+3`.
pub(crate) fn parse_signal(text: &str) -> Result<i32, DaemonError> {
    let bad = || DaemonError::Invalid(format!("invalid signal: {text}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=64).contains(&number) {
            Ok(number)
        } else {
            Err(bad())
        };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset: i32 = if offset.is_empty() {
            0
        } else {
            offset.parse().map_err(|_| bad())?
        };
        return if (0..=30).contains(&offset) {
            Ok(34 + offset)
        } else {
            Err(bad())
        };
    }
    let position = SIGNALS
        .iter()
        .position(|known| *known == name)
        .ok_or_else(bad)?;
    Ok(i32::try_from(position).expect("31 names") + 1)
}

/// Linux's signals in order, from 1.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, number) in [
            ("9", 9),
            ("KILL", 9),
            ("SIGTERM", 15),
            ("sigusr1", 10),
            ("SYS", 31),
            ("RTMIN+1", 35),
        ] {
            assert_eq!(parse_signal(text).unwrap(), number);
        }
        for bad in ["", "0", "65", "-1", "SIG", "FOO"] {
            assert!(parse_signal(bad).is_err(), "{bad}");
        }
    }
}

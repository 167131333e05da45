//! A second process in a running container.

use std::sync::{Arc, Mutex};

use crate::api::types::{CreateExec, ExecInspect, ExecProcess, StartExec};
use crate::runtime::client::Outlet;
use crate::runtime::handshake::{Started, Streams, Target};
use crate::runtime::request::{
    AppArmorSpec, CapabilitySpec, ProcessSpec, SeccompSpec, Stdin, TerminalSize,
};

use super::container::{State, not_running};
use super::frames::{self, StreamReader, StreamWriter};
use super::{Daemon, DaemonError, names};

/// Docker's exit code of an exec that could not run, whatever the reason.
const UNRUNNABLE: i32 = 126;

/// One exec instance.
#[derive(Debug)]
pub(crate) struct Exec {
    id: String,
    container: String,
    request: CreateExec,
    phase: Mutex<Phase>,
    /// Told when the phase is `Ended`.
    end: tokio::sync::Notify,
}

#[derive(Clone, Debug)]
enum Phase {
    Created,
    Starting,
    Running(Started),
    Ended { pid: u32, code: i32 },
}

impl Exec {
    fn phase(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.phase.lock().expect("no panic while holding it")
    }
}

impl Daemon {
    /// Prepares an exec; nothing runs yet.
    pub fn create_exec(&self, text: &str, request: CreateExec) -> Result<String, DaemonError> {
        if request.cmd.is_empty() {
            return Err(DaemonError::Invalid("No exec command specified".into()));
        }
        let container = self.container(text)?;
        let record = container.record();
        match record.state {
            State::Paused(_) => {
                return Err(DaemonError::Conflict(format!(
                    "Container {text} is paused, unpause the container before exec"
                )));
            }
            State::Running(_) => {}
            _ => return Err(not_running(&record.id)),
        }
        let id = names::random_id();
        self.tell(
            &record,
            &format!("exec_create: {}", request.cmd.join(" ")),
            &[("execID", id.clone())],
        );
        let exec = Exec {
            id: id.clone(),
            container: record.id,
            request,
            phase: Mutex::new(Phase::Created),
            end: tokio::sync::Notify::new(),
        };
        self.execs
            .lock()
            .expect("no panic while holding it")
            .insert(id.clone(), Arc::new(exec));
        Ok(id)
    }

    /// Checks that an exec can be started; gives its detach keys.
    pub fn exec_ready(&self, id: &str) -> Result<String, DaemonError> {
        let exec = self.exec(id)?;
        let container = self.container(&exec.container)?;
        match container.lock().record.state {
            State::Paused(_) => Err(DaemonError::Conflict(format!(
                "Container {} is paused, unpause the container before exec",
                exec.container
            ))),
            State::Running(_) => Ok(exec.request.detach_keys.clone()),
            _ => Err(not_running(&exec.container)),
        }
    }

    /// Tells that a client has left an exec that goes on.
    pub fn exec_detached(&self, id: &str) {
        if let Ok(exec) = self.exec(id)
            && let Ok(container) = self.container(&exec.container)
        {
            self.tell(
                &container.record(),
                "exec_detach",
                &[("execID", exec.id.clone())],
            );
        }
    }

    /// Runs an exec; `None` when it is detached. With an outlet the shim writes the output itself, and the streams tell
    /// of the end alone.
    pub async fn start_exec(
        self: &Arc<Self>,
        id: &str,
        start: StartExec,
        outlet: Option<Outlet>,
    ) -> Result<Option<(StreamReader, StreamWriter)>, DaemonError> {
        let exec = self.exec(id)?;
        {
            let mut phase = exec.phase();
            match *phase {
                Phase::Created => *phase = Phase::Starting,
                _ => return Err(DaemonError::Conflict(format!("exec {id} has already run"))),
            }
        }
        let result = {
            let exec = Arc::clone(&exec);
            self.block(move |daemon| daemon.run_exec(&exec, &start, outlet.as_ref()))
                .await
        };
        match result {
            Ok(stream) => {
                self.watch_exec(&exec);
                let failed = DaemonError::io("use the stream of the exec");
                stream.map(frames::split).transpose().map_err(failed)
            }
            Err(error) => {
                *exec.phase() = Phase::Ended {
                    pid: 0,
                    code: UNRUNNABLE,
                };
                Err(error)
            }
        }
    }

    fn run_exec(
        &self,
        exec: &Arc<Exec>,
        start: &StartExec,
        outlet: Option<&Outlet>,
    ) -> Result<Option<std::os::unix::net::UnixStream>, DaemonError> {
        let container = self.container(&exec.container)?;
        let shim = container.shim()?;
        let record = container.record();
        let process = self.exec_process(&record, &exec.request, start.console_size);
        let command = exec.request.cmd.join(" ");
        let (started, stream) = if start.detach {
            (shim.exec_detached(&exec.id, &process)?, None)
        } else {
            let streams = Streams {
                stdin: exec.request.attach_stdin,
                stdout: exec.request.attach_stdout,
                stderr: exec.request.attach_stderr,
            };
            let (started, stream) = shim.exec(&exec.id, &process, streams, outlet)?;
            (started, Some(stream.into_stream()))
        };
        *exec.phase() = Phase::Running(started);
        self.tell(
            &record,
            &format!("exec_start: {command}"),
            &[("execID", exec.id.clone())],
        );
        Ok(stream)
    }

    fn exec_process(
        &self,
        record: &super::container::ContainerRecord,
        request: &CreateExec,
        size: Option<[u16; 2]>,
    ) -> ProcessSpec {
        let host = &record.host_config;
        let [rows, cols] = size.or(request.console_size).unwrap_or_default();
        let given = |name: &str| {
            request
                .env
                .iter()
                .any(|variable| variable.split('=').next() == Some(name))
        };
        let inherited = record
            .config
            .env
            .iter()
            .filter(|variable| !given(variable.split('=').next().unwrap_or_default()));
        let privileged = request.privileged || host.privileged;
        ProcessSpec {
            argv: request.cmd.clone(),
            env: inherited
                .cloned()
                .chain(request.env.iter().cloned())
                .collect(),
            cwd: if request.working_dir.is_empty() {
                record.config.working_dir.clone()
            } else {
                request.working_dir.clone()
            },
            user: if request.user.is_empty() {
                record.config.user.clone()
            } else {
                request.user.clone()
            },
            groups: host.group_add.clone().unwrap_or_default(),
            terminal: request.tty.then_some(TerminalSize { cols, rows }),
            stdin: if request.attach_stdin {
                Stdin::Once
            } else {
                Stdin::Null
            },
            capabilities: if privileged {
                CapabilitySpec::All
            } else {
                CapabilitySpec::Usual {
                    add: host.cap_add.clone().unwrap_or_default(),
                    drop: host.cap_drop.clone().unwrap_or_default(),
                }
            },
            seccomp: if privileged {
                SeccompSpec::Unconfined
            } else {
                self.security(host)
                    .map_or(SeccompSpec::Usual, |(seccomp, _)| seccomp)
            },
            apparmor: if privileged {
                AppArmorSpec::Unconfined
            } else {
                super::wish::apparmor(host)
            },
            no_new_privileges: self.security(host).is_ok_and(|(_, forbidden)| forbidden),
            rlimits: Vec::new(),
            oom_score_adj: None,
        }
    }

    fn watch_exec(self: &Arc<Self>, exec: &Arc<Exec>) {
        let (daemon, exec) = (Arc::clone(self), Arc::clone(exec));
        tokio::spawn(async move {
            let directory = daemon.paths.container(&exec.container);
            let code = match frames::wait(&directory, Target::Exec(exec.id.clone()), || {}).await {
                Ok(record) => record.code,
                // The container ended, and its processes with it.
                Err(_) => 137,
            };
            let pid = match &*exec.phase() {
                Phase::Running(started) => started.pid,
                _ => 0,
            };
            *exec.phase() = Phase::Ended { pid, code };
            if let Ok(container) = daemon.container(&exec.container) {
                let more = [("execID", exec.id.clone()), ("exitCode", code.to_string())];
                daemon.tell(&container.record(), "exec_die", &more);
            }
            exec.end.notify_waiters();
        });
    }

    /// Waits until the end of an exec is on record.
    ///
    /// A client asks for the exit code as soon as its stream ends, so the stream must not end
    /// earlier than that.
    pub async fn exec_recorded(self: Arc<Self>, id: String) {
        let Ok(exec) = self.exec(&id) else {
            return;
        };
        let mut told = std::pin::pin!(exec.end.notified());
        told.as_mut().enable();
        let ended = matches!(*exec.phase(), Phase::Ended { .. });
        if !ended {
            told.await;
        }
    }

    /// What became of an exec.
    pub fn inspect_exec(&self, id: &str) -> Result<ExecInspect, DaemonError> {
        let exec = self.exec(id)?;
        let request = &exec.request;
        let (running, exit_code, pid) = match &*exec.phase() {
            Phase::Created | Phase::Starting => (false, None, 0),
            Phase::Running(started) => (true, None, started.pid),
            Phase::Ended { pid, code } => (false, Some(i64::from(*code)), *pid),
        };
        Ok(ExecInspect {
            id: exec.id.clone(),
            running,
            exit_code,
            process_config: ExecProcess {
                tty: request.tty,
                entrypoint: request.cmd[0].clone(),
                arguments: request.cmd[1..].to_vec(),
                privileged: request.privileged,
                user: request.user.clone(),
            },
            open_stdin: request.attach_stdin,
            open_stderr: request.attach_stderr,
            open_stdout: request.attach_stdout,
            can_remove: exit_code.is_some(),
            container_id: exec.container.clone(),
            detach_keys: request.detach_keys.clone(),
            pid: i32::try_from(pid).unwrap_or(0),
        })
    }

    /// Changes the size of an exec's terminal.
    pub async fn resize_exec(
        self: &Arc<Self>,
        id: &str,
        cols: u16,
        rows: u16,
    ) -> Result<(), DaemonError> {
        let exec = self.exec(id)?;
        let shim = self.container(&exec.container)?.shim()?;
        let target = Target::Exec(exec.id.clone());
        self.block(move |_| Ok(shim.resize(target, TerminalSize { cols, rows })?))
            .await
    }

    /// Ids of the execs of a container that run.
    pub(crate) fn running_execs(&self, container: &str) -> Option<Vec<String>> {
        let execs = self.execs.lock().expect("no panic while holding it");
        let running = execs.values().filter(|exec| exec.container == container);
        let ids: Vec<_> = running
            .filter(|exec| matches!(*exec.phase(), Phase::Running(_)))
            .map(|exec| exec.id.clone())
            .collect();
        (!ids.is_empty()).then_some(ids)
    }

    /// Forgets an exec that nobody will ask about.
    pub(crate) fn forget_exec(&self, id: &str) {
        self.execs
            .lock()
            .expect("no panic while holding it")
            .remove(id);
    }

    /// Forgets the execs of a container that is gone.
    pub(crate) fn forget_execs(&self, container: &str) {
        self.execs
            .lock()
            .expect("no panic while holding it")
            .retain(|_, exec| exec.container != container);
    }

    fn exec(&self, id: &str) -> Result<Arc<Exec>, DaemonError> {
        let execs = self.execs.lock().expect("no panic while holding it");
        let found = execs.get(id).or_else(|| {
            execs
                .values()
                .find(|exec| id.len() >= 12 && exec.id.starts_with(id))
        });
        found
            .cloned()
            .ok_or_else(|| DaemonError::not_found("exec instance", id))
    }
}

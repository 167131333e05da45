//! What a shim answers to each request of the daemon.

use kernel::process::Signal;

use super::client::Mode;
use super::process::Process;
use super::serve::{INIT, Shim};
use super::start;
use crate::roles::exec::{self, Home};
use crate::runtime::handshake::{
    Phase, Refusal, RefusalKind, Reply, Request, Started, Status, Target,
};
use crate::runtime::process::ProcessPlan;

impl Shim {
    pub(super) fn answer(&mut self, request: Request) -> Result<(Option<Reply>, Mode), Refusal> {
        let done = Ok((Some(Reply::Done), Mode::Asking));
        match request {
            Request::Start => {
                let started = self.start()?;
                Ok((Some(Reply::Started(started)), Mode::Asking))
            }
            Request::Status => Ok((Some(Reply::Status(self.status())), Mode::Asking)),
            Request::Signal { target, signal } => {
                self.signal(&target, Signal(signal))?;
                done
            }
            Request::Resize { target, size } => {
                let number = self.number(&target)?;
                let resized = self.processes[&number].resize(size);
                resized.map_err(|e| Refusal::failed("cannot resize the terminal", &e))?;
                done
            }
            Request::Wait { target } => Ok((None, Mode::Waiting(self.number(&target)?))),
            Request::Attach {
                target, streams, ..
            } => {
                let mode = Mode::Attached(self.number(&target)?, streams);
                Ok((Some(Reply::Done), mode))
            }
            Request::Exec {
                id,
                process,
                streams,
                outlet: _,
            } => {
                let (number, started) = self.exec(id, &process)?;
                let mode = streams.map_or(Mode::Asking, |s| Mode::Attached(number, s));
                Ok((Some(Reply::Started(started)), mode))
            }
        }
    }

    fn start(&mut self) -> Result<Started, Refusal> {
        let init = self
            .processes
            .get_mut(&INIT)
            .expect("the init is never forgotten");
        init.start()
    }

    fn status(&self) -> Status {
        let init = self.init();
        Status {
            pid: init.pid,
            engine_pid: init.engine_pid,
            phase: match &self.end {
                Some(record) => Phase::Exited(record.clone()),
                None => init.phase(),
            },
        }
    }

    fn signal(&self, target: &Target, signal: Signal) -> Result<(), Refusal> {
        let failed = |e| Refusal::failed("cannot send the signal", &e);
        // Without a group the first process stands for all: they end with it.
        let target = match target {
            Target::All if !self.group.exists() => &Target::Init,
            target => target,
        };
        if *target == Target::All {
            for pid in self.group.processes() {
                let _ = kernel::process::kill(pid, signal);
            }
            return Ok(());
        }
        let process = &self.processes[&self.number(target)?];
        if process.ended().is_some() {
            return Err(Refusal::conflict("the process has ended"));
        }
        process.signal(signal).map_err(failed)
    }

    fn exec(&mut self, id: String, plan: &ProcessPlan) -> Result<(u64, Started), Refusal> {
        let failed = |e| Refusal::failed("cannot keep the streams", &e);
        if self.init().started().is_none() {
            return Err(Refusal::conflict("the container is not running"));
        }
        let (stdio, ends) = start::streams(plan).map_err(failed)?;
        let home = Home {
            stage: &self.plan.stage,
            init: self.init().pidfd(),
            group: Some(&self.group),
            besides: kernel::namespace::Namespaces::NONE,
        };
        let born = exec::process(&home, plan, stdio, None)?;
        let mut process = Process::new(born, ends, plan.stdin).map_err(failed)?;
        let started = match process.start() {
            Ok(started) => started,
            Err(refusal) => {
                process.kill();
                return Err(refusal);
            }
        };
        let number = self.next;
        self.next += 1;
        self.processes.insert(number, process);
        self.names.insert(id, number);
        Ok((number, started))
    }

    fn number(&self, target: &Target) -> Result<u64, Refusal> {
        let missing = |name: &str| Refusal {
            message: format!("No such exec instance: {name}"),
            code: 125,
            kind: RefusalKind::NotFound,
        };
        match target {
            Target::Init => Ok(INIT),
            Target::Exec(name) => self.names.get(name).copied().ok_or_else(|| missing(name)),
            Target::All => Err(Refusal::conflict(
                "this cannot be asked of all processes at once",
            )),
        }
    }
}

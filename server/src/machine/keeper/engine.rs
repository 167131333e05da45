//! The machine's engine: started when somebody first asks for it, and again when it has ended.

use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use kernel::error::SysError;
use kernel::fs::Access;
use kernel::namespace::{self, Namespaces};
use kernel::process::{self, Exit, Forked, Parent, Program, Signal};
use kernel::signal;

use crate::machine::filter::{self, FilterError, Whose};
use crate::machine::stage::story;

/// After it ended, it rests this long before a connection may start it again.
const REST: Duration = Duration::from_secs(1);

/// Whether the engine runs.
#[derive(Debug, Default)]
pub(super) enum Engine {
    /// Nobody has asked yet.
    #[default]
    Idle,
    /// It runs, under this number.
    Running(i32),
    /// It ended; it is not started before this moment.
    Resting(Instant),
}

impl Engine {
    /// Whether a connection to its socket shall start it.
    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Self::Idle => true,
            Self::Running(_) => false,
            Self::Resting(until) => Instant::now() >= *until,
        }
    }

    /// How long until it may be started again.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self {
            Self::Resting(until) => Some(until.saturating_duration_since(Instant::now())),
            _ => None,
        }
        .filter(|wait| !wait.is_zero())
    }

    /// Its number, while it runs.
    pub(super) fn pid(&self) -> Option<i32> {
        match self {
            Self::Running(pid) => Some(*pid),
            _ => None,
        }
    }

    /// Starts it for the inner stage `stage`, with the listening socket as descriptor 3.
    pub(super) fn start(&mut self, stage: i32, socket: BorrowedFd<'_>) {
        *self = match spawn(stage, socket) {
            Ok(pid) => Self::Running(pid),
            Err(error) => {
                eprintln!("keeper: cannot start the engine: {}", story(&error));
                Self::Resting(Instant::now() + REST)
            }
        };
    }

    /// A child ended.
    pub(super) fn ended(&mut self, pid: i32, exit: Exit) {
        if self.pid() == Some(pid) {
            eprintln!("keeper: the engine ended: {exit:?}");
            *self = Self::Resting(Instant::now() + REST);
        }
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        if let Some(pid) = self.pid() {
            // It may have ended by itself.
            let _ = process::kill(pid, Signal::KILL);
        }
    }
}

fn spawn(stage: i32, socket: BorrowedFd<'_>) -> Result<i32, SysError> {
    let executable = kernel::fs::open(Path::new("/quai"), Access::Path)?;
    // It binds this name itself; one that a former engine left would be in the way.
    let _ = std::fs::remove_file("/run/engine.sock");
    match process::fork(Namespaces::NONE, Parent::Caller)? {
        Forked::Parent(child) => Ok(child.pid),
        Forked::Child => {
            let error = execute(stage, socket, executable.as_fd());
            eprintln!("keeper: {}", story(&error));
            process::exit(127)
        }
    }
}

/// Why the engine was not executed.
#[derive(Debug, thiserror::Error)]
enum ExecuteError {
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error("its containers cannot be confined")]
    Filter(#[from] FilterError),
}

fn execute(stage: i32, socket: BorrowedFd<'_>, executable: BorrowedFd<'_>) -> ExecuteError {
    if let Err(e) = signal::reset_all().and_then(|()| same_clocks(stage)) {
        return e.into();
    }
    // The engine does nothing that a container of its may not: all of them inherit the machine's filter, the
    // privileged too.
    if let Err(e) = filter::load(Whose::Containers) {
        return e.into();
    }
    let stage = std::ffi::CString::new(stage.to_string()).expect("a number has no NUL");
    let argv = [
        c"quai".into(),
        c"engine".into(),
        c"--stage-pid".into(),
        stage,
        c"--data-root".into(),
        c"/disk/engine".into(),
        c"--exec-root".into(),
        c"/run/engine".into(),
        c"--catalogue".into(),
        c"/store".into(),
        c"-H".into(),
        c"fd://3".into(),
        c"-H".into(),
        c"unix:///run/engine.sock".into(),
    ];
    let env = [
        c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".into(),
        c"HOME=/".into(),
    ];
    let plan = [(0, 0), (1, 1), (2, 2), (socket.as_raw_fd(), 3)];
    process::execute_with(Program::Open(executable), &argv, &env, &plan).into()
}

/// Its containers inherit the clocks of the machine, which its root then may enter.
fn same_clocks(stage: i32) -> Result<(), SysError> {
    match namespace::open(stage, "time") {
        Ok(clocks) => namespace::setns(clocks.as_fd(), Namespaces::TIME),
        // A kernel without time namespaces.
        Err(e) if e.source.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

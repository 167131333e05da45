//! Programs of the learner's: a login shell on a terminal, or a script without one.

use std::ffi::{CStr, CString};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use kernel::error::SysError;
use kernel::namespace::Namespaces;
use kernel::process::{self, Child, Forked, Parent, Program};
use kernel::pty::{self, WindowSize};
use kernel::signal;

/// Why a program does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShellError {
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error("{why}")]
    NotExecuted { errno: i32, why: String },
}

impl ShellError {
    /// What the kernel answered; 0 when it was not asked.
    pub(super) fn errno(&self) -> i32 {
        match self {
            Self::Kernel(error) => error.source.raw_os_error().unwrap_or(0),
            Self::NotExecuted { errno, .. } => *errno,
        }
    }
}

/// A shell on a terminal.
pub(super) struct Terminal {
    pub(super) master: OwnedFd,
    pub(super) child: Child,
}

/// A program with pipes.
pub(super) struct Piped {
    pub(super) input: OwnedFd,
    pub(super) output: OwnedFd,
    pub(super) child: Child,
}

/// Login shells, the first that can be executed.
const SHELLS: [&CStr; 2] = [c"/bin/bash", c"/bin/sh"];

/// Starts a login shell on a new terminal of the file system `terminals` (a devpts).
pub(super) fn on_terminal(
    terminals: BorrowedFd<'_>,
    size: WindowSize,
) -> Result<Terminal, ShellError> {
    // By descriptor: the learner may have removed /dev.
    process::fchdir(terminals)?;
    let pair = pty::open_at(c"ptmx", size);
    let _ = std::env::set_current_dir("/");
    let pair = pair?;
    let slave = pair.slave.as_raw_fd();
    let plan = [(slave, 0), (slave, 1), (slave, 2)];
    let child = spawn(|| {
        if let Err(e) = pty::lead_session(pair.slave.as_fd()) {
            return e;
        }
        let argv = [CString::from(c"-bash")];
        let mut last = None;
        for shell in SHELLS {
            last = Some(process::execute_with(
                Program::At(shell),
                &argv,
                &environment(),
                &plan,
            ));
        }
        last.expect("there is a shell in the list")
    })?;
    Ok(Terminal {
        master: pair.master,
        child,
    })
}

/// Starts a program with its input and output on pipes.
pub(super) fn piped(argv: &[String]) -> Result<Piped, ShellError> {
    let words: Option<Vec<CString>> = argv.iter().map(|w| CString::new(w.as_str()).ok()).collect();
    let Some(words) = words.filter(|words| !words.is_empty()) else {
        return Err(ShellError::NotExecuted {
            errno: 0,
            why: "no program is named, or a word has a NUL".into(),
        });
    };
    let (their_input, input) = process::pipe()?;
    let (output, their_output) = process::pipe()?;
    let out = their_output.as_raw_fd();
    let plan = [(their_input.as_raw_fd(), 0), (out, 1), (out, 2)];
    let child = spawn(|| {
        if let Err(e) = process::setsid() {
            return e;
        }
        process::execute_with(Program::At(&words[0]), &words, &environment(), &plan)
    })?;
    Ok(Piped {
        input,
        output,
        child,
    })
}

/// Forks; the child runs `become_program`, which returns only on failure. The failure comes back.
fn spawn(become_program: impl FnOnce() -> SysError) -> Result<Child, ShellError> {
    let (failure, tell) = process::pipe()?;
    let child = match process::fork(Namespaces::NONE, Parent::Caller)? {
        Forked::Parent(child) => child,
        Forked::Child => {
            let prepared = prepare();
            let error = match prepared {
                Ok(()) => become_program(),
                Err(e) => e,
            };
            let errno = error.source.raw_os_error().unwrap_or(0);
            let _ = write!(std::fs::File::from(tell), "{errno} {error}");
            process::exit(127)
        }
    };
    drop(tell);
    let mut why = String::new();
    // The end comes when the exec closes the pipe; a failure to read is as good as an end.
    let _ = std::fs::File::from(failure).read_to_string(&mut why);
    match why.split_once(' ') {
        None => Ok(child),
        Some((errno, why)) => Err(ShellError::NotExecuted {
            errno: errno.parse().unwrap_or(0),
            why: why.into(),
        }),
    }
}

fn prepare() -> Result<(), SysError> {
    signal::reset_all()?;
    process::umask(0o022);
    // When memory is short the kernel shall take the learner's programs, not PID 1.
    let _ = std::fs::write("/proc/self/oom_score_adj", "100");
    if std::env::set_current_dir("/root").is_err() {
        let _ = std::env::set_current_dir("/");
    }
    Ok(())
}

fn environment() -> Vec<CString> {
    [
        c"HOME=/root",
        c"USER=root",
        c"LOGNAME=root",
        c"SHELL=/bin/bash",
        c"TERM=xterm-256color",
        c"COLORTERM=truecolor",
        c"LANG=C.UTF-8",
        c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
    .into_iter()
    .map(CString::from)
    .collect()
}

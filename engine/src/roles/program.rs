//! The last metres before `execve`, the same for a container's first process and for `exec`.

use std::ffi::CString;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use kernel::capability::{self, Set};
use kernel::child::{self, Standard};
use kernel::error::SysError;
use kernel::fs::{self, Access, open_in_root};
use kernel::{file, process, pty, seccomp};

use crate::runtime::handshake::{Refusal, RefusalKind};
use crate::runtime::mounts;
use crate::runtime::process::ProcessPlan;
use crate::runtime::request::TerminalSize;
use crate::runtime::user::{self, Identity};

/// The three streams of a process, as it will have them.
#[derive(Debug)]
pub(super) enum Stdio {
    /// A terminal of the container's own devpts, made inside.
    Terminal(TerminalSize),
    /// Pipes the shim has made: input, output, error.
    Pipes([OwnedFd; 3]),
}

/// A program that only has to be executed.
#[derive(Debug)]
pub(super) struct Program {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

/// A process that knows who it is, where it is and what it will run.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Who it is.
    pub(super) identity: Identity,
    /// What it runs.
    pub(super) program: Program,
}

/// Finds out everything that can be wrong with a wish, inside the container's root.
pub(super) fn prepare(plan: &ProcessPlan) -> Result<Prepared, Refusal> {
    let root = fs::open(Path::new("/"), Access::Directory)
        .map_err(|e| Refusal::failed("cannot open the root", &e))?;
    let identity = user::resolve(root.as_fd(), &plan.user, &plan.groups)?;
    change_directory(root.as_fd(), &plan.cwd, &identity)?;
    let mut env = plan.env.clone();
    if !env.iter().any(|entry| entry.starts_with("HOME=")) {
        env.push(format!("HOME={}", identity.home));
    }
    let path = find_program(&plan.argv[0], &env)?;
    let program = Program {
        path: c(&path),
        argv: plan.argv.iter().map(|a| c(a)).collect(),
        env: env.iter().map(|e| c(e)).collect(),
    };
    Ok(Prepared { identity, program })
}

/// Enters the working directory through a descriptor, and checks that it lies in the root.
fn change_directory(root: BorrowedFd<'_>, cwd: &str, identity: &Identity) -> Result<(), Refusal> {
    let wrong = |e: &dyn std::error::Error| Refusal {
        message: format!("chdir to cwd ({cwd:?}) set in config.json failed: {e}"),
        code: 126,
        kind: RefusalKind::Invalid,
    };
    let path = Path::new(cwd);
    let directory = match open_in_root(root, path, Access::Directory) {
        Err(e) if e.source.kind() == ErrorKind::NotFound => {
            let made = mounts::make_directories(root, path).map_err(|e| wrong(&e))?;
            // It cannot be opened for changing its owner by descriptor (O_PATH); this process has
            // entered the root, so the path means the same directory.
            let _ = std::os::unix::fs::chown(path, Some(identity.uid), Some(identity.gid));
            made
        }
        other => other.map_err(|e| wrong(&e))?,
    };
    process::fchdir(directory.as_fd()).map_err(|e| wrong(&e))?;
    match std::env::current_dir() {
        Ok(path) if path.starts_with("/") => Ok(()),
        Ok(_) => Err(wrong(&std::io::Error::other(
            "it is outside of the container",
        ))),
        Err(e) => Err(wrong(&e)),
    }
}

/// Looks a name up in the container's own `PATH`.
fn find_program(name: &str, env: &[String]) -> Result<String, Refusal> {
    if name.contains('/') {
        return match std::fs::metadata(name) {
            Ok(facts) if facts.is_dir() => Err(cannot_run(name, "is a directory", 126)),
            Ok(facts) if !executable(&facts) => Err(cannot_run(name, "permission denied", 126)),
            Ok(_) => Ok(name.to_owned()),
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                Err(cannot_run(name, "permission denied", 126))
            }
            Err(_) => {
                let why = format!("stat {name}: no such file or directory");
                Err(cannot_run(name, &why, 127))
            }
        };
    }
    let path = env
        .iter()
        .rev()
        .find_map(|entry| entry.strip_prefix("PATH="));
    let mut denied = false;
    for directory in path.unwrap_or_default().split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = format!("{directory}/{name}");
        match std::fs::metadata(&candidate) {
            Ok(facts) if facts.is_file() && executable(&facts) => return Ok(candidate),
            Ok(facts) => denied |= facts.is_file(),
            Err(_) => {}
        }
    }
    if denied {
        return Err(cannot_run(name, "permission denied", 126));
    }
    Err(cannot_run(name, "executable file not found in $PATH", 127))
}

/// Docker's words, on which clients match.
fn cannot_run(name: &str, why: &str, code: i32) -> Refusal {
    Refusal {
        message: format!(
            "failed to create task for container: failed to create shim task: OCI runtime create \
             failed: unable to start container process: exec: {name:?}: {why}: unknown"
        ),
        code,
        kind: RefusalKind::Invalid,
    }
}

fn executable(facts: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    facts.permissions().mode() & 0o111 != 0
}

/// Gives the process its streams; the pair of its terminal, if it is to have one.
pub(super) fn open_streams(
    stdio: Stdio,
    identity: &Identity,
) -> Result<Option<pty::Pair>, SysError> {
    match stdio {
        Stdio::Terminal(size) => {
            let pair = open_terminal(size, identity.uid)?;
            place([pair.slave.as_fd(); 3])?;
            Ok(Some(pair))
        }
        Stdio::Pipes(pipes) => {
            let pipes = [pipes[0].as_fd(), pipes[1].as_fd(), pipes[2].as_fd()];
            for pipe in pipes {
                // So that the user may open /dev/stdout; the null device refuses and needs it not.
                let _ = file::chown(pipe, identity.uid, identity.gid);
            }
            place(pipes)?;
            Ok(None)
        }
    }
}

fn open_terminal(size: TerminalSize, owner: u32) -> Result<pty::Pair, SysError> {
    let size = pty::WindowSize {
        cols: size.cols,
        rows: size.rows,
    };
    let pair = pty::open_at(c"/dev/pts/ptmx", size)?;
    let io = |e| SysError::io("fstat", e);
    let slave = std::fs::File::from(pair.slave.try_clone().map_err(io)?);
    // The group is that of the devpts instance: tty.
    let gid = std::os::unix::fs::MetadataExt::gid(&slave.metadata().map_err(io)?);
    file::chown(pair.slave.as_fd(), owner, gid)?;
    Ok(pair)
}

fn place(streams: [BorrowedFd<'_>; 3]) -> Result<(), SysError> {
    let [input, output, error] = streams;
    child::redirect(input, Standard::Input)?;
    child::redirect(output, Standard::Output)?;
    child::redirect(error, Standard::Error)
}

/// Gives up everything the program shall not have. Nothing after this may need a privilege.
pub(super) fn give_up(plan: &ProcessPlan, identity: &Identity) -> Result<(), SysError> {
    for limit in &plan.rlimits {
        let number = |n: i64| u64::try_from(n).unwrap_or(u64::MAX);
        if let Some(resource) = crate::runtime::rlimits::resource(&limit.name) {
            process::set_rlimit(resource, number(limit.soft), number(limit.hard))?;
        }
    }
    if let Some(score) = plan.oom_score_adj {
        let path = "/proc/self/oom_score_adj";
        std::fs::write(path, score.to_string()).map_err(|e| SysError::io("write", e).on(path))?;
    }
    match process::join_new_session_keyring() {
        // A stage's own filter, or its quota of keys, may refuse: then it inherits none of ours
        // either, for the stage had none to give.
        Ok(()) | Err(_) => {}
    }
    process::umask(0o022);
    let all = capability::bounding()?;
    let keep = Set(plan.capabilities.unwrap_or(u64::MAX) & all.0);
    if plan.no_new_privileges {
        process::set_no_new_privileges()?;
    } else {
        // Without no_new_privs the kernel wants SYS_ADMIN, which is about to go.
        load_filters(plan)?;
    }
    capability::limit_bounding(keep)?;
    child::set_identity(identity.uid, identity.gid, &identity.groups)?;
    if identity.uid == 0 {
        capability::set(keep, keep)?;
    } else {
        capability::set(Set::default(), Set::default())?;
    }
    if plan.no_new_privileges {
        load_filters(plan)?;
    }
    Ok(())
}

fn load_filters(plan: &ProcessPlan) -> Result<(), SysError> {
    let Some(text) = &plan.filter else {
        return Ok(());
    };
    use base64::Engine as _;
    let joined = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|e| SysError::io("seccomp", std::io::Error::other(e)))?;
    crate::runtime::seccomp::programs(&joined)
        .into_iter()
        .try_for_each(seccomp::load)
}

impl Program {
    /// Becomes the program; comes back only with the reason why not.
    pub(super) fn execute(&self) -> Refusal {
        if let Err(e) = process::close_on_exec_from_3() {
            return Refusal::failed("cannot close descriptors", &e);
        }
        let error = process::execve(&self.path, &self.argv, &self.env);
        let name = self.argv[0].to_string_lossy();
        match error.source.kind() {
            ErrorKind::PermissionDenied => cannot_run(&name, "permission denied", 126),
            // A script whose interpreter is missing, or a program whose loader is.
            ErrorKind::NotFound => cannot_run(&name, "no such file or directory", 127),
            _ if error.source.raw_os_error() == Some(ENOEXEC) => {
                cannot_run(&name, "exec format error", 126)
            }
            _ => Refusal::failed(&format!("cannot execute {name}"), &error),
        }
    }
}

const ENOEXEC: i32 = 8;

fn c(text: &str) -> CString {
    // The plan has refused strings with a NUL.
    CString::new(text).unwrap_or_default()
}

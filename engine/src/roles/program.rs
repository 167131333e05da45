//! The last metres before `execve`, the same for a container's first process and for `exec`.

use std::ffi::CString;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kernel::child::{self, Standard};
use kernel::error::SysError;
use kernel::fs::{self, Access, open_in_root};
use kernel::{file, process, pty};

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
    /// Those of whoever makes the container.
    Inherited,
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
    let identity = identify(root.as_fd(), plan)?;
    change_directory(root.as_fd(), &plan.cwd, &identity)?;
    let mut env = plan.env.clone();
    if !env.iter().any(|entry| entry.starts_with("HOME=")) {
        env.push(format!("HOME={}", identity.home));
    }
    let path = find_program(&plan.argv[0], &env)?;
    not_ourselves(root.as_fd(), &path, &plan.argv[0])?;
    let program = Program {
        path: c(&path),
        argv: plan.argv.iter().map(|a| c(a)).collect(),
        env: env.iter().map(|e| c(e)).collect(),
    };
    Ok(Prepared { identity, program })
}

/// Who it will be: by number, or as the image's own files say.
fn identify(root: BorrowedFd<'_>, plan: &ProcessPlan) -> Result<Identity, Refusal> {
    let Some(ids) = &plan.special.ids else {
        return user::resolve(root, &plan.user, &plan.groups);
    };
    let home = match user::resolve(root, &ids.uid.to_string(), &[]) {
        Ok(found) => found.home,
        Err(_) => "/".to_owned(),
    };
    Ok(Identity {
        uid: ids.uid,
        gid: ids.gid,
        groups: ids.groups.clone(),
        home,
    })
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

/// Only the first process of a container may begin in a directory that is not there yet.
pub(super) fn has_directory(cwd: &str) -> Result<(), Refusal> {
    match std::fs::metadata(cwd) {
        Err(e) if e.kind() == ErrorKind::NotFound && !cwd.is_empty() => Err(Refusal {
            message: format!(
                "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create \
                 failed: unable to start container process: chdir to cwd ({cwd:?}) set in config.json failed: no such \
                 file or directory: unknown"
            ),
            code: 126,
            kind: RefusalKind::Invalid,
        }),
        _ => Ok(()),
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

/// Refuses a program, or a script's interpreter, that leads to this very executable: the image would
/// get hold of a file of the host's (CVE-2019-5736).
fn not_ourselves(root: BorrowedFd<'_>, path: &str, name: &str) -> Result<(), Refusal> {
    let own = std::fs::metadata("/proc/self/exe").map(|facts| (facts.dev(), facts.ino()));
    let mut path = path.to_owned();
    // The kernel follows as many interpreters; see BINPRM_MAX_RECURSION.
    for _ in 0..5 {
        let Ok(file) = open_program(root, &path) else {
            return Err(cannot_run(name, "permission denied", 126));
        };
        let facts = file.metadata().map(|facts| (facts.dev(), facts.ino()));
        if own
            .as_ref()
            .is_ok_and(|own| facts.is_ok_and(|facts| facts == *own))
        {
            return Err(cannot_run(name, "permission denied", 126));
        }
        match interpreter(file) {
            Some(next) => path = next,
            None => break,
        }
    }
    Ok(())
}

/// Opens a program without following a magic link, as the one to the executable is.
fn open_program(root: BorrowedFd<'_>, path: &str) -> Result<File, SysError> {
    if path.starts_with('/') {
        return open_in_root(root, Path::new(path), Access::Path).map(File::from);
    }
    let here = fs::open(Path::new("."), Access::Directory)?;
    fs::open_without_magic(here.as_fd(), Path::new(path), Access::Path).map(File::from)
}

/// The interpreter of a script, as its first line names it; see execve(2).
fn interpreter(program: File) -> Option<String> {
    use std::io::Read;
    let path = kernel::procfs::process::descriptor_path(program.as_fd());
    let mut head = Vec::new();
    File::open(path)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let word = line
        .split(|b| b" \t".contains(b))
        .find(|word| !word.is_empty())?;
    Some(String::from_utf8_lossy(word).into_owned())
}

/// Docker's words, on which clients match.
fn cannot_run(name: &str, why: &str, code: i32) -> Refusal {
    Refusal {
        message: format!(
            "failed to create task for container: failed to create shim task: OCI runtime create \
             failed: runc create failed: unable to start container process: exec: {name:?}: {why}: unknown"
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
        Stdio::Inherited => {
            let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
            for stream in [input.as_fd(), output.as_fd(), error.as_fd()] {
                give(stream, identity.uid);
            }
            Ok(None)
        }
    }
}

/// So that the user may open /dev/stdout. A device is everybody's, and stays as it is; where the
/// file cannot change hands the program has the open descriptor all the same.
fn give(stream: BorrowedFd<'_>, uid: u32) {
    let facts = stream
        .try_clone_to_owned()
        .and_then(|fd| std::fs::File::from(fd).metadata());
    let Ok(facts) = facts else {
        return;
    };
    use std::os::unix::fs::FileTypeExt;
    if facts.uid() != uid && !facts.file_type().is_char_device() {
        let _ = file::chown(stream, uid, facts.gid());
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
    let gid = MetadataExt::gid(&slave.metadata().map_err(io)?);
    file::chown(pair.slave.as_fd(), owner, gid)?;
    Ok(pair)
}

fn place(streams: [BorrowedFd<'_>; 3]) -> Result<(), SysError> {
    let [input, output, error] = streams;
    child::redirect(input, Standard::Input)?;
    child::redirect(output, Standard::Output)?;
    child::redirect(error, Standard::Error)
}

impl Program {
    /// Becomes the program; comes back only with the reason why not.
    ///
    /// It inherits the three streams and `passed` more descriptors.
    pub(super) fn execute(&self, passed: u32) -> Refusal {
        if let Err(e) = process::close_on_exec_from(3 + passed) {
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

//! Unpacking in a process of its own, which can reach nothing but the tree it fills.
//!
//! The parent decompresses, hashes and feeds the archive; the child ([`run`], the role `quai unpack`) parses it and
//! writes files. Before it reads its first byte it makes the tree its root, keeps only the capabilities that files
//! need, has bounded memory, and may ask the kernel for nothing but files: no socket, no program, no namespace. It
//! makes no devices either, but for the whiteout.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use kernel::capability::{self, Set};
use kernel::error::SysError;
use kernel::process::{self, Resource};
use kernel::tree::Tree;
use libseccomp::error::SeccompError;
use libseccomp::{ScmpAction, ScmpFilterContext, ScmpSyscall};
use serde::{Deserialize, Serialize};

use super::{Budget, UnpackError, Whiteouts, unpack_into};

/// What the child says last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Done { size: u64 },
    Failed { why: String },
}

/// Why a process could not be confined.
#[derive(Debug, thiserror::Error)]
enum ConfineError {
    #[error("cannot change the root: {0}")]
    Root(#[source] io::Error),
    #[error(transparent)]
    Kernel(#[from] SysError),
    #[error("cannot build the filter: {0}")]
    Filter(#[from] SeccompError),
}

/// What is read at once.
const CHUNK: usize = 1 << 20;

/// Unpacks as [`super::unpack`], in a child that executes `quai`.
pub(crate) fn unpack(quai: &Path, archive: impl Read, into: &Path) -> Result<u64, UnpackError> {
    let execute = |source| UnpackError::Child { source };
    let mut child = Command::new(quai)
        .arg("unpack")
        .env_clear()
        .current_dir(into)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(execute)?;
    let input = child.stdin.take().expect("a pipe was asked for");
    // A small pipe is only slower.
    if let Err(error) = kernel::file::set_pipe_size(input.as_fd(), CHUNK) {
        tracing::debug!("the pipe of an archive stays small: {error}");
    }
    let fed = feed(archive, input);
    let mut text = String::new();
    let mut output = child.stdout.take().expect("a pipe was asked for");
    let heard = output.read_to_string(&mut text);
    let status = child.wait().map_err(execute)?;
    heard.map_err(execute)?;
    match (fed, serde_json::from_str(&text)) {
        // What the archive's reader says tells more than a child that found it cut short.
        (Err(source), _) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(UnpackError::Read { source })
        }
        (_, Ok(Answer::Done { size })) => Ok(size),
        (_, Ok(Answer::Failed { why })) => Err(UnpackError::Refused { why }),
        (_, Err(_)) => Err(UnpackError::Refused {
            why: format!("the process that unpacks ended early: {status}"),
        }),
    }
}

fn feed(mut archive: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match archive.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The role `quai unpack`: an archive on the standard input becomes files in the working directory.
pub fn run() -> ExitCode {
    let answer = match confine().map_err(|error| error.to_string()).and_then(work) {
        Ok(size) => Answer::Done { size },
        Err(why) => Answer::Failed { why },
    };
    let text = serde_json::to_string(&answer).expect("an answer is plain data");
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn work((input, tree, budget): (File, Tree, Budget)) -> Result<u64, String> {
    let input = BufReader::with_capacity(CHUNK, input);
    unpack_into(input, tree, Whiteouts::Applied, budget).map_err(|error| error.to_string())
}

/// What files need: to be given away, to be made whatever their folder's mode, to have set-user-id bits and
/// capabilities of their own.
const KEPT: [&str; 5] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP"];

/// Bytes of memory beyond the executable: an archive's own metadata is held while an entry is made.
const MEMORY: u64 = 256 << 20;

fn confine() -> Result<(File, Tree, Budget), ConfineError> {
    let here = Path::new(".");
    super::owner::has_single_id();
    let budget = Budget::of(here)?;
    let input = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(ConfineError::Root)?;
    let tree = Tree::open(here)?;
    std::os::unix::fs::chroot(here).map_err(ConfineError::Root)?;
    process::umask(0);
    for (resource, limit) in [
        (Resource::Core, 0),
        (Resource::OpenFiles, 64),
        (Resource::Data, MEMORY),
    ] {
        process::set_rlimit(resource, limit, limit)?;
    }
    let kept = KEPT
        .iter()
        .filter_map(|name| Set::of(name))
        .fold(Set::default(), Set::with);
    capability::limit_bounding(Set::default())?;
    capability::set(kept, kept)?;
    process::set_no_new_privileges()?;
    only_files()?;
    Ok((File::from(input), tree, budget))
}

/// The calls that reading an archive and writing files take, on one thread.
const CALLS: [&str; 55] = [
    "brk",
    "clock_gettime",
    "close",
    "dup",
    "exit",
    "exit_group",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fcntl",
    "fsetxattr",
    "fstat",
    "ftruncate",
    "futex",
    "getdents64",
    "getpid",
    "getrandom",
    "gettid",
    "linkat",
    "lseek",
    "madvise",
    "mkdirat",
    "mknodat",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "newfstatat",
    "openat",
    "openat2",
    "poll",
    "prctl",
    "pread64",
    "pwrite64",
    "read",
    "readlinkat",
    "readv",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "sigaltstack",
    "statx",
    "symlinkat",
    "tgkill",
    "unlinkat",
    "utimensat",
    "write",
    "writev",
];

fn only_files() -> Result<(), ConfineError> {
    let mut filter = ScmpFilterContext::new(ScmpAction::Errno(1))?;
    filter.set_act_badarch(ScmpAction::KillProcess)?;
    for name in CALLS {
        filter.add_rule(ScmpAction::Allow, ScmpSyscall::from_name(name)?)?;
    }
    Ok(filter.load()?)
}

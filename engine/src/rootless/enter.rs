//! From an ordinary user's shell to root of the engine's namespaces.

use std::ffi::{CString, OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use kernel::namespace;
use kernel::process::{self, Program};

use super::door::{Door, Reply, Request};
use super::places::State;
use super::{RootlessError, anchor, delegation};

/// How often a parent that ends just then is replaced.
const TRIES: usize = 5;

/// The word after which an engine finds the number of its door's descriptor.
const FLAG: &str = "--rootless-door";

/// Becomes `quai engine WORDS --rootless-door FD` inside the namespaces of the user; returns only why it could not.
/// `keep` are the descriptors that the words name.
pub fn enter(
    exec_root: &Path,
    words: &[OsString],
    keep: &[RawFd],
    mut warn: impl FnMut(&str),
) -> RootlessError {
    let mut last = RootlessError::Silent;
    for _ in 0..TRIES {
        match inside(exec_root, &mut warn) {
            Ok(door) => return go_on(door, words, keep),
            // A parent without containers ends when its last engine does.
            Err(e @ (RootlessError::Sys(_) | RootlessError::Nonsense)) => last = e,
            Err(e) => return e,
        }
    }
    last
}

fn inside(exec_root: &Path, warn: &mut impl FnMut(&str)) -> Result<Door, RootlessError> {
    let state = State::make(exec_root)?;
    let door = match Door::reach(&state.socket()) {
        Ok(door) => door,
        Err(_) => {
            start_parent(exec_root, warn)?;
            Door::reach(&state.socket())?
        }
    };
    let (Reply::Anchor { group }, Some(pidfd)) = door.ask(&Request::Enter)? else {
        return Err(RootlessError::Nonsense);
    };
    if let Some(group) = group {
        delegation::move_into(&group)
            .map_err(|source| RootlessError::Elsewhere { group, source })?;
    }
    namespace::setns(pidfd.as_fd(), anchor::kinds())?;
    Ok(door)
}

/// Starts the parent and waits until it serves, or says why not.
fn start_parent(exec_root: &Path, warn: &mut impl FnMut(&str)) -> Result<(), RootlessError> {
    let executable = Path::new("/proc/self/exe");
    let mut child = Command::new(executable)
        .arg0("quai")
        .arg("rootless-parent")
        .arg(exec_root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(RootlessError::file("execute", executable))?;
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        // An end without a word is told below.
        let _ = stdout.read_to_string(&mut said);
    }
    // It has gone into the background.
    let _ = child.wait();
    for line in said.lines() {
        match line.split_once(' ') {
            Some(("warning", text)) => warn(text),
            Some(("failed", text)) => return Err(RootlessError::Parent(text.to_owned())),
            _ if line == "ready" => return Ok(()),
            _ => {}
        }
    }
    Err(RootlessError::Silent)
}

/// Executes the engine again: as root of its user namespace it may then look at itself.
fn go_on(door: Door, words: &[OsString], keep: &[RawFd]) -> RootlessError {
    let socket = door.into_socket();
    let number = keep.iter().copied().max().unwrap_or(2).max(2) + 1;
    let word = |text: &OsStr| CString::new(text.as_bytes()).unwrap_or_default();
    let mut arguments = vec![c"quai".to_owned(), c"engine".to_owned()];
    arguments.extend(words.iter().map(|text| word(text)));
    arguments.push(word(OsStr::new(&format!("{FLAG}={number}"))));
    let environment: Vec<CString> = std::env::vars_os()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            word(&name)
        })
        .collect();
    let mut plan: Vec<(RawFd, RawFd)> = vec![(0, 0), (1, 1), (2, 2)];
    plan.extend(keep.iter().map(|fd| (*fd, *fd)));
    plan.push((socket.as_raw_fd(), number));
    let program = Program::At(c"/proc/self/exe");
    process::execute_with(program, &arguments, &environment, &plan).into()
}

//! `quai user-root`: an ordinary user's process becomes root of namespaces of its own, then another role.
//!
//! The parent ([`spawn`]) gives the ids: a range of `/etc/subuid` through newuidmap(1) where there is one, else the
//! user's own id alone. The child ([`run`]) has one thread, enters a user and a mount namespace, and executes this
//! very program again with the words it was given. It ends with its parent.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};

use kernel::child;
use kernel::error::SysError;
use kernel::fs::Dir;
use kernel::mount::{self, Change, Depth, Propagation};
use kernel::namespace::{self, Namespaces};
use kernel::process::{self, Signal};

use super::questions;
use crate::rootless::{self, Maps, RootlessError};
use crate::runtime::handshake::Refusal;
use crate::runtime::namespaces::{Extent, UserNamespace};

/// This very program, whatever its file is called by now.
const SELF: &str = "/proc/self/exe";

/// A program that could not be started as root of its own.
#[derive(Debug, thiserror::Error)]
pub enum UserRootError {
    /// It cannot be executed.
    #[error("cannot execute this program again: {0}")]
    Execute(#[source] io::Error),
    /// The kernel gives no user namespace to this user.
    #[error("this kernel gives no user namespace to ordinary users (see user_namespaces(7))")]
    NoNamespace,
    /// The own id cannot be mapped.
    #[error(transparent)]
    Map(#[from] Refusal),
    /// The ids of `/etc/subuid` cannot be mapped.
    #[error(transparent)]
    Range(#[from] RootlessError),
}

/// Which ids there are beside root in a namespace made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnIds {
    /// Those of the host: the caller is root already.
    Host,
    /// A range of further ids.
    Range,
    /// None: every file belongs to root.
    Single,
}

/// Starts `quai WORDS…` as root of its own; its standard error is a pipe.
pub fn spawn(words: &[OsString]) -> Result<(Child, OwnIds), UserRootError> {
    let is_root = process::effective_uid() == 0;
    let mut child = Command::new(SELF)
        .arg("user-root")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(UserRootError::Execute)?;
    let mapped = if is_root {
        Ok(OwnIds::Host)
    } else {
        map(&mut child)
    };
    match mapped {
        Ok(ids) => Ok((child, ids)),
        Err(error) => {
            // It waits for an answer that will not come, or has ended already.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

fn map(child: &mut Child) -> Result<OwnIds, UserRootError> {
    let mut told = [0];
    let mut output = child.stdout.take().expect("a pipe was asked for");
    if output.read_exact(&mut told).is_err() {
        return Err(UserRootError::NoNamespace);
    }
    let pid = i32::try_from(child.id()).expect("a pid is an int");
    let ids = match Maps::of_caller() {
        Ok(maps) if rootless::check_programs().is_ok() => {
            maps.write(pid)?;
            OwnIds::Range
        }
        // A build has files of one owner then, and says so.
        _ => {
            questions::map(&alone(), pid)?;
            OwnIds::Single
        }
    };
    let mut input = child.stdin.take().expect("a pipe was asked for");
    input.write_all(b"m").map_err(UserRootError::Execute)?;
    Ok(ids)
}

/// The caller as root, and nobody else.
fn alone() -> UserNamespace {
    let one = |outside| {
        vec![Extent {
            inside: 0,
            outside,
            count: 1,
        }]
    };
    UserNamespace {
        users: one(process::effective_uid()),
        groups: one(process::effective_gid()),
    }
}

/// The role: becomes root, then `quai WORDS…`.
pub fn run(words: Vec<OsString>) -> ExitCode {
    let error = match become_root() {
        Err(error) => error.to_string(),
        Ok(()) => {
            let mut command = Command::new(SELF);
            command
                .args(&words)
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            command.exec().to_string()
        }
    };
    let _ = writeln!(io::stderr(), "quai user-root: {error}");
    ExitCode::FAILURE
}

fn become_root() -> Result<(), SysError> {
    if process::effective_uid() == 0 {
        namespace::unshare(Namespaces::MOUNT)?;
    } else {
        namespace::unshare(Namespaces::USER | Namespaces::MOUNT)?;
        let talk = |source| SysError::io("talk to the parent", source);
        let mut output = io::stdout();
        output
            .write_all(b"u")
            .and_then(|()| output.flush())
            .map_err(talk)?;
        io::stdin().read_exact(&mut [0]).map_err(talk)?;
        // Where only the own group is mapped, this is forbidden and needless.
        let _ = process::set_groups(&[]);
        child::set_ids(0, 0)?;
    }
    let private = Change {
        propagation: Some(Propagation::Private),
        ..Change::NOTHING
    };
    mount::change(Dir::Here, c"/", Depth::Tree, private)?;
    // Last: the kernel forgets it when ids change.
    process::set_parent_death_signal(Signal::TERM)
}

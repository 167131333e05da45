//! A suite in a pid namespace of its own: whatever it starts ends with it, even when it is killed itself.
//!
//! Engines are made so that containers outlive them. A test that fails between the start of a container and its removal
//! would leave it to the host; here the kernel ends it (pid_namespaces(7)). Three processes of one executable: the
//! *outer* one waits, the *first* of the namespace collects orphans, and the *suite* is its child.

use std::io;
use std::process::{Command, ExitCode};

use kernel::namespace::{Namespaces, unshare};
use kernel::process::{self, Patience, Signal};

/// Tells an execution of the suite's executable which of the three it is.
const PLACE: &str = "QUAI_TEST_PLACE";

/// Goes on in a pid and a mount namespace of its own.
///
/// `None` in the suite itself; the code to end with in the two processes around it. To be called by root, from a process
/// with one thread, before anything is started.
pub fn enter() -> Option<ExitCode> {
    let place = std::env::var(PLACE).unwrap_or_default();
    let code = match place.as_str() {
        "suite" => return None,
        "first" => first(),
        _ => outer(),
    };
    Some(code.unwrap_or_else(|error| {
        eprintln!("the suite has no namespace of its own: {error}");
        ExitCode::FAILURE
    }))
}

fn outer() -> io::Result<ExitCode> {
    unshare(Namespaces::PID | Namespaces::MOUNT).map_err(io::Error::other)?;
    let status = again("first").status()?;
    Ok(ExitCode::from(u8::from(!status.success())))
}

/// Ends with the suite, and the namespace with it.
fn first() -> io::Result<ExitCode> {
    process::set_parent_death_signal(Signal::KILL).map_err(io::Error::other)?;
    for arguments in [
        ["--make-rprivate", "/"].as_slice(),
        &["-t", "proc", "proc", "/proc"],
    ] {
        let status = Command::new("mount").args(arguments).status()?;
        if !status.success() {
            let text = format!("mount {}: {status}", arguments.join(" "));
            return Err(io::Error::other(text));
        }
    }
    let suite = again("suite").spawn()?;
    let suite = i32::try_from(suite.id()).map_err(io::Error::other)?;
    loop {
        match process::reap(Patience::Wait).map_err(io::Error::other)? {
            Some((pid, exit)) if pid == suite => {
                return Ok(ExitCode::from(u8::from(exit.shell_code() != 0)));
            }
            Some(_) => {}
            None => return Err(io::Error::other("the suite was never a child")),
        }
    }
}

fn again(place: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(std::env::args_os().skip(1)).env(PLACE, place);
    command
}

//! Parent and reaper of one container: keeps its streams, its log and its exit code.
//!
//! One thread, one loop over poll(2). It needs no daemon: a container whose daemon dies goes on,
//! and its output is still written. It ends when the container has ended.

mod answer;
mod client;
mod end;
mod process;
mod serve;
mod start;
mod way;

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use kernel::child::{self, Standard};
use kernel::error::SysError;
use kernel::fs::{self, Access};
use kernel::process::{self as proc, Dumpable};

use crate::runtime::handshake::{Frame, Phase, Refusal, Reply, Status};
use crate::runtime::plan::Plan;

/// The role `quai shim`: standard input is the plan, standard output the daemon's ear.
///
/// The result is the exit code of the shim, not of the container, which `exit.json` holds.
pub fn run() -> std::process::ExitCode {
    let Ok(mut daemon) = std::io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)
    else {
        return std::process::ExitCode::FAILURE;
    };
    let reply = match prepare() {
        Ok(shim) => {
            let status = Reply::Status(Status {
                pid: shim.init().pid,
                engine_pid: shim.init().engine_pid,
                phase: Phase::Created,
            });
            let told = Frame::json(&status).write_to(&mut daemon);
            drop(daemon);
            if told.is_ok() {
                shim.serve();
            } else {
                shim.abandon();
            }
            return std::process::ExitCode::SUCCESS;
        }
        Err(refusal) => Reply::Refused(refusal),
    };
    // Nobody to tell: the daemon is gone.
    let _ = Frame::json(&reply).write_to(&mut daemon);
    std::process::ExitCode::FAILURE
}

fn prepare() -> Result<serve::Shim, Refusal> {
    let failed = |e: SysError| Refusal::failed("the shim cannot begin", &e);
    let mut json = Vec::new();
    std::io::stdin()
        .read_to_end(&mut json)
        .map_err(|e| failed(SysError::io("read", e).on("the plan")))?;
    let plan: Plan = serde_json::from_slice(&json)
        .map_err(|e| failed(SysError::io("read", e.into()).on("the plan")))?;
    detach().map_err(failed)?;
    start::container(plan)
}

/// Leaves the daemon's session, directory, streams; nobody in the stage may trace what is made here.
fn detach() -> Result<(), SysError> {
    proc::set_dumpable(Dumpable::No)?;
    proc::umask(0o022);
    // EPERM: a shim that a person started by hand leads its group already.
    let _ = proc::setsid();
    std::env::set_current_dir("/").map_err(|e| SysError::io("chdir", e).on("/"))?;
    let null: OwnedFd = fs::open(Path::new("/dev/null"), Access::ReadWrite)?;
    child::redirect(null.as_fd(), Standard::Input)?;
    child::redirect(null.as_fd(), Standard::Output)?;
    child::redirect(null.as_fd(), Standard::Error)
}

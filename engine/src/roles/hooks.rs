//! Runs hooks, one after the other: each reads the container's state and must succeed in time.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use kernel::poll::{self, Interest};
use kernel::process;

use crate::runtime::handshake::Refusal;
use crate::runtime::hooks::{Hook, Hooks};

/// What hooks read on their standard input.
pub(super) fn state(hooks: &Hooks, status: &str, pid: Option<u32>) -> String {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok());
    hooks.subject.state(status, pid).to_string()
}

/// Runs all of them; the first that fails ends the row.
pub(super) fn run(hooks: &[Hook], state: &str) -> Result<(), Refusal> {
    hooks.iter().enumerate().try_for_each(|(number, hook)| {
        one(hook, state).map_err(|why| {
            let what = format!("error running hook #{number} ({})", hook.path.display());
            Refusal::failed(&what, &std::io::Error::other(why))
        })
    })
}

fn one(hook: &Hook, state: &str) -> Result<(), String> {
    let mut command = Command::new(&hook.path);
    let (name, arguments) = match hook.args.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => (hook.path.to_str().unwrap_or_default(), &[][..]),
    };
    command.arg0(name).args(arguments).env_clear();
    command.envs(hook.env.iter().filter_map(|entry| entry.split_once('=')));
    command.stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // A hook that does not read its state is free to close it.
        let _ = input.write_all(state.as_bytes());
    }
    let ended = wait(&mut child, hook.timeout.map(Duration::from_secs))?;
    if ended.success() {
        return Ok(());
    }
    let mut words = String::new();
    if let Some(error) = child.stderr.take() {
        let _ = error.take(4096).read_to_string(&mut words);
    }
    Err(format!("{ended}, stderr: {}", words.trim()))
}

fn wait(child: &mut Child, patience: Option<Duration>) -> Result<ExitStatus, String> {
    if let Some(patience) = patience {
        let number = i32::try_from(child.id()).unwrap_or(i32::MAX);
        let pidfd = process::pidfd_open(number).map_err(|e| e.to_string())?;
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let ready = poll::wait(&[(pidfd.as_fd(), Interest::Read)], Some(left));
            if ready.map_err(|e| e.to_string())?[0].readable {
                break;
            }
            if Instant::now() >= end {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it took longer than {} s", patience.as_secs()));
            }
        }
    }
    child.wait().map_err(|e| e.to_string())
}

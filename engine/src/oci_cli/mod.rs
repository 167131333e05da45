//! `quai runtime`: an OCI runtime with runc's command line, for podman, containerd and dockerd.
//!
//! Reading order: `flags` and `global` read the words, `record` is what is kept of a container between
//! two calls, and each file of `commands` is one command. A call is one process with one thread,
//! which makes the container's first process itself (`roles/bundle`) and soon ends.
//!
//! Deliberately absent: checkpoints, and the systemd cgroup driver, which would need a D-Bus
//! client.

mod commands;
mod console;
mod error;
mod flags;
mod global;
mod log;
mod record;
mod text;

use std::ffi::OsString;
use std::process::ExitCode;

use global::Global;

/// Runs one command line, without the program's own name.
pub fn main(words: Vec<OsString>) -> ExitCode {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let (global, words) = match Global::parse(words) {
        Ok(parsed) => parsed,
        Err(e) => {
            eprintln!("quai runtime: {e}");
            return ExitCode::from(1);
        }
    };
    match commands::run(&global, words) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(255)),
        Err(e) => {
            log::error(&global, &e.to_string());
            ExitCode::from(e.code())
        }
    }
}

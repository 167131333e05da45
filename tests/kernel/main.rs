//! The engine on the real kernel of this host, as root: what it says is compared with what `/proc` says.

mod capabilities;
mod cgroup;
mod lifecycle;
mod machine;
mod namespaces;
mod network;
mod recovery;
mod rootfs;
mod unpacker;
mod watcher;

use tests::engine::{Engine, catalogue};
use tests::host::{self, Need};

/// An engine, or `None` with a printed reason where this host or this call cannot have one.
#[track_caller]
fn engine(test: &str) -> Option<Engine> {
    if host::lacks(test, &[Need::Root, Need::Overlay]) {
        return None;
    }
    let Some(catalogue) = catalogue() else {
        host::report(
            test,
            "QUAI_STORE names no store with the base images (script/test makes one)",
        );
        return None;
    };
    Some(Engine::start(&catalogue).expect("an engine starts on a host that has what it needs"))
}

/// One field of `/proc/PID/status`.
fn status(pid: u32, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no field {field} in the status of {pid}"))
        .trim()
        .to_owned()
}

/// A container that does nothing for a while, and its pid.
fn sleeper(engine: &Engine, name: &str, options: &[&str]) -> u32 {
    let mut arguments = vec!["run", "-d", "--name", name];
    arguments.extend(options);
    arguments.extend(["busybox", "sleep", "300"]);
    engine.stdout(&arguments);
    engine.pid(name)
}

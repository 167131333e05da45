//! What an engine does by itself on a real kernel: health, restart policies, logs, and life after a crash.
//!
//! This executable is its own engine (a process of its own, so that it can be killed) and its own shim.

#![expect(
    clippy::print_stdout,
    reason = "this test binary is its own harness: the executable under test is this one"
)]

#[path = "../api/client.rs"]
#[allow(dead_code, reason = "the client is shared with the tests of the API")]
mod client;
mod configuration;
#[path = "../../../tests/src/contained.rs"]
#[allow(
    unreachable_pub,
    reason = "it is public in the crate of the tests from outside"
)]
mod contained;
mod engine_process;
mod faults;
mod frozen;
mod health;
mod logs;
mod memory;
mod orphans;
mod processes;
mod races;
mod restart;
mod secure;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use engine_process::Engine;

/// A sentence, and what proves it. Cases share an engine and may kill it; each cleans up its containers.
type Case = (&'static str, fn(&mut Engine));

const CASES: &[&[Case]] = &[
    health::CASES,
    restart::CASES,
    memory::CASES,
    logs::CASES,
    secure::CASES,
    configuration::CASES,
    frozen::CASES,
    orphans::CASES,
    races::CASES,
    faults::CASES,
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("shim") => return engine::roles::shim::run(),
        Some("engine") => return engine_process::serve(words),
        _ => {}
    }
    if let Some(reason) = engine_process::missing() {
        println!("SKIP supervision: {reason}");
        let required = std::env::var("KERNEL_TESTS").is_ok_and(|value| value == "required");
        return if required {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    }
    if let Some(code) = contained::enter() {
        return code;
    }
    // Bridges and rules are made here, not in the host's network.
    use kernel::namespace::Namespaces;
    kernel::namespace::unshare(Namespaces::NETWORK | Namespaces::MOUNT).unwrap();
    kernel::netlink::link::set_up("lo").unwrap();
    engine_process::own_run();
    let mut engine = Engine::start("{}");
    let filter = words.iter().find(|word| !word.starts_with('-'));
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in CASES.iter().copied().flatten() {
        if filter.is_some_and(|filter| !name.contains(filter.as_str())) {
            continue;
        }
        let run = std::panic::AssertUnwindSafe(|| case(&mut engine));
        let result = std::panic::catch_unwind(run);
        println!(
            "test {name} ... {}",
            if result.is_ok() { "ok" } else { "FAILED" }
        );
        passed += usize::from(result.is_ok());
        failed += usize::from(result.is_err());
        if result.is_err() {
            println!("{}", engine.log());
        }
        engine.client.remove_all();
    }
    println!("test result: {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Waits for a condition; a loaded host may take long, a wrong engine for ever.
#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while !condition() {
        assert!(Instant::now() < deadline, "this did not happen: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

//! An ordinary user's engine, driven by a real client: from its first start to the end of its last process.
//!
//! Root only plays the host: a mount and a network namespace of this process's own, in which there is a user with ids
//! to give away and a network with a neighbour.

#![expect(
    clippy::print_stdout,
    reason = "this test binary is its own harness: it changes its own namespaces before anything runs"
)]

mod engine;
mod helper;
mod host;
mod life;
mod network;
mod podman;
mod refusals;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use engine::Rootless;
use tests::host::{Need, lacks, report};

/// A sentence and its proof. Cases share one user and one engine, and leave it running.
pub(crate) type Case = (&'static str, fn(&mut Rootless));

const CASES: [&[Case]; 5] = [
    network::CASES,
    life::CASES,
    refusals::CASES,
    helper::CASES,
    podman::CASES,
];

fn main() -> ExitCode {
    const NAME: &str = "rootless";
    if lacks(NAME, &[Need::Root, Need::Overlay, Need::Nftables]) {
        return ExitCode::SUCCESS;
    }
    if let Some(reason) = host::missing() {
        report(NAME, &reason);
        return ExitCode::SUCCESS;
    }
    if let Some(code) = tests::contained::enter() {
        return code;
    }
    let host = host::Host::make().expect("root may make namespaces");
    let mut engine = Rootless::start(host);
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in CASES.iter().copied().flatten() {
        if filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
            continue;
        }
        let run = std::panic::AssertUnwindSafe(|| case(&mut engine));
        let good = std::panic::catch_unwind(run).is_ok();
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
        if good {
            passed += 1;
        } else {
            failed += 1;
            println!("{}", engine.log());
        }
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
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "this did not happen: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

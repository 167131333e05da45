//! Containers on the real kernel: the executable under test is this one, in the role of the shim.

#![expect(
    clippy::print_stdout,
    reason = "this test binary is its own harness: the executable under test is this one"
)]

mod network;
mod place;
mod run;

use std::process::ExitCode;

/// A test: its name is a sentence.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "shim") {
        return engine::roles::shim::run();
    }
    if let Some(reason) = place::missing() {
        println!("SKIP runtime: {reason}");
        let required = std::env::var("KERNEL_TESTS").is_ok_and(|v| v == "required");
        return if required {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    }
    let filter = words.iter().find(|word| !word.starts_with('-'));
    let (mut passed, mut failed) = (0, 0);
    // Bridges and rules are made here, not in the host's network.
    kernel::namespace::unshare(kernel::namespace::Namespaces::NETWORK).unwrap();
    kernel::netlink::link::set_up("lo").unwrap();
    for (name, test) in run::TESTS.iter().chain(&network::TESTS) {
        if filter.is_some_and(|f| !name.contains(f.as_str())) {
            continue;
        }
        let result = std::panic::catch_unwind(*test);
        println!(
            "test {name} ... {}",
            if result.is_ok() { "ok" } else { "FAILED" }
        );
        passed += usize::from(result.is_ok());
        failed += usize::from(result.is_err());
    }
    println!("test result: {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

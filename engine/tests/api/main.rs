//! The Docker API on a real kernel: an engine on a temporary socket, spoken to over HTTP.
//!
//! This executable is its own engine and its own shim, so that nothing has to be installed.

#![expect(
    clippy::print_stdout,
    reason = "this test binary is its own harness: the executable under test is this one"
)]

mod cases;
mod client;
mod hostile;
mod networks;
mod place;
mod random;
mod routes;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "shim") {
        return engine::roles::shim::run();
    }
    if let Some(reason) = place::missing() {
        println!("SKIP api: {reason}");
        let required = std::env::var("KERNEL_TESTS").is_ok_and(|value| value == "required");
        return if required {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    }
    // Bridges and rules are made here, not in the host's network.
    kernel::namespace::unshare(kernel::namespace::Namespaces::NETWORK).unwrap();
    kernel::netlink::link::set_up("lo").unwrap();
    let place = place::Place::new();
    let client = place.start_engine();
    let filter = words.iter().find(|word| !word.starts_with('-'));
    let (mut passed, mut failed) = (0, 0);
    let all = cases::CASES
        .into_iter()
        .chain(networks::CASES)
        .chain(routes::CASES)
        .chain(hostile::CASES);
    for (name, case) in all {
        if filter.is_some_and(|filter| !name.contains(filter.as_str())) {
            continue;
        }
        let result = std::panic::catch_unwind(|| case(&client));
        println!(
            "test {name} ... {}",
            if result.is_ok() { "ok" } else { "FAILED" }
        );
        passed += usize::from(result.is_ok());
        failed += usize::from(result.is_err());
    }
    client.remove_all();
    println!("test result: {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

//! `quai runtime` on real bundles: the executable under test is this one.

#![expect(
    clippy::print_stdout,
    reason = "this test binary is its own harness: the executable under test is this one"
)]

mod confinement;
mod exec;
mod hooks;
mod life;
mod limits;
mod mounts;
mod namespaces;
mod peers;
mod place;
mod rootless;
mod terminal;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// A test: its name is a sentence. An `Err` is the reason why it cannot run here.
type Test = (&'static str, fn() -> Result<(), String>);

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let name = words.remove(0);
    if Path::new(&name)
        .file_name()
        .is_some_and(|name| name == "quai-runtime")
    {
        return engine::oci_cli::main(words);
    }
    if let Some(reason) = place::missing() {
        println!("SKIP oci_runtime: {reason}");
        let required = std::env::var("KERNEL_TESTS").is_ok_and(|v| v == "required");
        return ExitCode::from(u8::from(required));
    }
    let words: Vec<String> = words
        .iter()
        .map(|w| w.to_string_lossy().into_owned())
        .collect();
    let filter = words.iter().find(|word| !word.starts_with('-'));
    let groups: [&[Test]; 10] = [
        &life::TESTS,
        &exec::TESTS,
        &hooks::TESTS,
        &terminal::TESTS,
        &namespaces::TESTS,
        &mounts::TESTS,
        &confinement::TESTS,
        &limits::TESTS,
        &rootless::TESTS,
        &peers::TESTS,
    ];
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (name, test) in groups.into_iter().flatten() {
        if filter.is_some_and(|f| !name.contains(f.as_str())) {
            continue;
        }
        match std::panic::catch_unwind(*test) {
            Ok(Ok(())) => {
                println!("test {name} ... ok");
                passed += 1;
            }
            Ok(Err(reason)) => {
                println!("test {name} ... SKIP: {reason}");
                ignored += 1;
            }
            Err(_) => {
                println!("test {name} ... FAILED");
                failed += 1;
            }
        }
    }
    place::forget_groups();
    println!("test result: {passed} passed; {failed} failed; {ignored} ignored");
    ExitCode::from(u8::from(failed > 0))
}

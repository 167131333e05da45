//! The real `docker` client, unmodified, against our engine: one file per subject, one engine for all of them.
//!
//! What is expected was taken from a real dockerd 26.1.5. Cases run side by side and use names of their own; those at
//! the end change the engine as a whole and run one after the other.

#![expect(
    clippy::print_stdout,
    reason = "this test binary is its own harness, so that the engine ends with it"
)]

mod builds;
mod client;
mod files;
mod inspect;
mod lifecycle;
mod limits;
mod list;
mod options;
mod privileges;
mod projects;
mod propagation;
mod streams;
mod system;
mod tls;
mod volumes;
mod whole;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use client::Docker;
use tests::host::{self, Need};

/// A sentence and its proof.
pub(crate) type Case = (&'static str, fn(&Docker));

/// How many cases run at once.
const WORKERS: usize = 4;

fn main() -> ExitCode {
    const NAME: &str = "docker";
    if host::lacks(NAME, &[Need::Root, Need::Overlay]) {
        return ExitCode::SUCCESS;
    }
    let docker = match Docker::find() {
        Ok(docker) => docker,
        Err(reason) => {
            host::report(NAME, &reason);
            return ExitCode::SUCCESS;
        }
    };
    println!("{}", docker.version());
    let words: Vec<String> = std::env::args().skip(1).collect();
    let filter = words.iter().find(|word| !word.starts_with('-'));
    let chosen = |cases: &[&[Case]]| -> Vec<Case> {
        let all = cases.iter().flat_map(|cases| cases.iter().copied());
        all.filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter.as_str())))
            .collect()
    };
    let together = chosen(&[
        builds::CASES,
        options::CASES,
        limits::CASES,
        lifecycle::CASES,
        list::CASES,
        streams::CASES,
        files::CASES,
        inspect::CASES,
        privileges::CASES,
        projects::CASES,
        propagation::CASES,
        system::CASES,
        tls::CASES,
        volumes::CASES,
    ]);
    let (mut passed, mut failed) = run(&docker, &together, WORKERS);
    let alone = run(&docker, &chosen(&[builds::ALONE, whole::CASES]), 1);
    passed += alone.0;
    failed += alone.1;
    drop(docker);
    println!("test result: {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs cases side by side; gives how many passed and failed.
fn run(docker: &Docker, cases: &[Case], workers: usize) -> (usize, usize) {
    let next = AtomicUsize::new(0);
    let counts = Mutex::new((0, 0));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((name, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = std::panic::catch_unwind(|| case(docker));
                    let word = if result.is_ok() { "ok" } else { "FAILED" };
                    println!("test {name} ... {word}");
                    let mut counts = counts.lock().expect("no panic while holding it");
                    counts.0 += usize::from(result.is_ok());
                    counts.1 += usize::from(result.is_err());
                }
            });
        }
    });
    counts.into_inner().expect("no panic while holding it")
}

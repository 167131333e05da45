//! `quai doctor`: what this host offers, what it lacks, how to mend it.
//!
//! `host` asks the kernel itself wherever it can be asked without leaving a trace, `finding` is
//! what it answers, as data; the sentences are in `fr.toml` under the finding's name.
//! `quai local` runs the same questions before it starts anything.

mod finding;
mod host;
mod links;
mod rootless;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use web::messages::say;

use crate::config::Config;
pub(crate) use finding::{Finding, Level};

/// Runs the command.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    let Ok(data) = data_folder(words) else {
        eprintln!("{}", say("doctor.usage", &[]));
        return ExitCode::from(2);
    };
    let findings = examine(&data);
    for finding in &findings {
        tell(finding);
    }
    let broken = findings.iter().filter(|f| f.level == Level::Fail).count();
    conclude(broken, &findings);
    if broken == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Asks everything; `data` is where the machines' disks will be.
pub(crate) fn examine(data: &Path) -> Vec<Finding> {
    host::questions(data)
}

/// What exercises may require and this host lacks, by the name they use.
pub(crate) fn lacks(findings: &[Finding]) -> Vec<crate::app::Lack> {
    findings
        .iter()
        .filter(|finding| matches!(finding.level, Level::Warn | Level::Fail))
        .flat_map(|finding| {
            finding.capabilities().iter().map(|name| crate::app::Lack {
                capability: (*name).to_owned(),
                reason: finding.sentence(),
            })
        })
        .collect()
}

fn data_folder(words: &[OsString]) -> Result<PathBuf, ()> {
    match words {
        [] => Ok(PathBuf::from(Config::DATA)),
        [option, folder] if option == "--data" => Ok(PathBuf::from(folder)),
        [joined] => {
            let text = joined.to_str().ok_or(())?;
            text.strip_prefix("--data=").map(PathBuf::from).ok_or(())
        }
        _ => Err(()),
    }
}

#[expect(clippy::print_stdout, reason = "this is the command's answer")]
fn tell(finding: &Finding) {
    let mark = match finding.level {
        Level::Good => "✓",
        Level::Unknown => "?",
        Level::Warn => "!",
        Level::Fail => "✗",
    };
    println!("{mark} {}", finding.sentence());
    if let Some(remedy) = finding.remedy() {
        println!("  → {remedy}");
    }
}

#[expect(clippy::print_stdout, reason = "this is the command's answer")]
fn conclude(broken: usize, findings: &[Finding]) {
    let unknown = findings.iter().any(|f| f.level == Level::Unknown);
    match broken {
        0 if unknown => println!("\n{}", say("doctor.conclusion.unknown", &[])),
        0 => println!("\n{}", say("doctor.conclusion.good", &[])),
        _ => println!(
            "\n{}",
            say("doctor.conclusion.bad", &[("count", &broken.to_string())])
        ),
    }
}

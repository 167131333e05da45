//! `quai content check [DIR]`: every page and exercise, with file, line and cause of what is wrong.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use web::messages::say;

use crate::course::load::load;
use crate::course::source::Source;

/// Runs the command.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    match words {
        [verb] if verb == "check" => check(&Source::Embedded),
        [verb, folder] if verb == "check" => check(&Source::Folder(PathBuf::from(folder))),
        _ => {
            eprintln!("{}", say("content.usage", &[]));
            ExitCode::from(2)
        }
    }
}

fn check(source: &Source) -> ExitCode {
    let course = match load(source) {
        Ok(course) => course,
        Err(error) => {
            let why = crate::error::chain(&error);
            eprintln!("{}", say("content.unreadable", &[("why", &why)]));
            return ExitCode::FAILURE;
        }
    };
    let faults = course.all_faults();
    for fault in &faults {
        eprintln!("{fault}");
    }
    let steps = course.steps().count().to_string();
    let modules = course.modules.len().to_string();
    if faults.is_empty() {
        conclude(&say(
            "content.good",
            &[("modules", &modules), ("steps", &steps)],
        ));
        ExitCode::SUCCESS
    } else {
        let count = faults.len().to_string();
        conclude(&say("content.bad", &[("count", &count)]));
        ExitCode::FAILURE
    }
}

#[expect(clippy::print_stdout, reason = "this is the command's answer")]
fn conclude(sentence: &str) {
    println!("{sentence}");
}

//! `quai content`: for people who write the course.
//!
//! `check` reads every page and exercise and names what is wrong with file, line and cause; `test`
//! proves every exercise in a real machine.

mod check;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use web::messages::say;

use crate::course::source::Source;

/// Runs the command.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    match words {
        [verb] if verb == "check" => check::run(&Source::Embedded),
        [verb, folder] if verb == "check" => check::run(&Source::Folder(PathBuf::from(folder))),
        _ => {
            eprintln!("{}", say("content.usage", &[]));
            ExitCode::from(2)
        }
    }
}

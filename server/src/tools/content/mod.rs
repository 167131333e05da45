//! `quai content`: for people who write the course.
//!
//! `check` reads every page and exercise and names what is wrong with file, line and cause; `test`
//! proves every exercise in a real machine.

mod check;
mod proof;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use web::messages::say;

use crate::course::source::Source;

/// Reads and proves the course.
#[derive(Parser)]
#[command(name = "quai content", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Every page and exercise is read.
    Check {
        /// The course; the one that was built in when absent.
        folder: Option<PathBuf>,
    },
    /// Every exercise is proved in a real machine.
    Test {
        /// Only this exercise.
        #[arg(long)]
        tp: Option<String>,
        /// A file for the results.
        #[arg(long)]
        report: Option<PathBuf>,
        /// The data whose catalogue of images is used.
        #[arg(long, default_value = "/var/lib/quai")]
        data: PathBuf,
        /// The course; the one that was built in when absent.
        folder: Option<PathBuf>,
    },
}

/// Runs the command.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    let name = OsString::from("quai content");
    let words = std::iter::once(name).chain(words.iter().cloned());
    let Ok(arguments) = Arguments::try_parse_from(words) else {
        eprintln!("{}", say("content.usage", &[]));
        return ExitCode::from(2);
    };
    let source = |folder: Option<PathBuf>| folder.map_or(Source::Embedded, Source::Folder);
    match arguments.verb {
        Verb::Check { folder } => check::run(&source(folder)),
        Verb::Test {
            tp,
            report,
            data,
            folder,
        } => proof::run(&proof::Options {
            source: source(folder),
            tp,
            report,
            data,
        }),
    }
}

//! `quai catalogue`: prints what `engine` does to a store.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use engine::image::catalogue::CatalogueArgs;

/// Runs the command with the words after `catalogue`.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let args = CatalogueArgs::parse_from(std::iter::once("quai catalogue".into()).chain(words));
    match args.run() {
        Ok(lines) => {
            let mut out = std::io::stdout().lock();
            for line in lines {
                // Who closes the pipe early has seen enough.
                if writeln!(out, "{line}").is_err() {
                    break;
                }
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("quai catalogue: {error}");
            ExitCode::FAILURE
        }
    }
}

//! The role `watcher`: evaluates one exercise on one machine, on the connection it is given.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use labs::watch::{self, Options};

/// Evaluates checks; started by the keeper with the listener's connection as descriptor 0.
#[derive(Parser)]
#[command(name = "quai watcher")]
struct Arguments {
    /// The inner init's pid, as seen from the outer stage.
    #[arg(long)]
    stage_pid: i32,
    /// The engine's socket.
    #[arg(long, default_value = "/run/engine.sock")]
    engine: PathBuf,
}

/// Watches until the listener leaves or the machine stops.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let name = OsString::from("quai watcher");
    let arguments = match Arguments::try_parse_from(std::iter::once(name).chain(words)) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let options = Options {
        stage_pid: arguments.stage_pid,
        engine: arguments.engine,
    };
    match watch::run(&options, std::io::stdin().as_fd()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = anyhow::Error::from(error);
            eprintln!("quai watcher: {error:#}");
            ExitCode::FAILURE
        }
    }
}

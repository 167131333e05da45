//! The role `watcher`: evaluates one exercise on one machine, on the connection it is given.

use std::ffi::OsString;
use std::io::Read;
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
    /// A descriptor to read first: what was taken from the connection already.
    #[arg(long)]
    opening_fd: Option<i32>,
}

/// Watches until the listener leaves or the machine stops.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let name = OsString::from("quai watcher");
    let arguments = match Arguments::try_parse_from(std::iter::once(name).chain(words)) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let mut early = Vec::new();
    if let Some(number) = arguments.opening_fd {
        let read = kernel::process::inherited(number)
            .map_err(anyhow::Error::from)
            .and_then(|fd| Ok(std::fs::File::from(fd).read_to_end(&mut early)?));
        if let Err(error) = read {
            eprintln!("quai watcher: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    let options = Options {
        early,
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

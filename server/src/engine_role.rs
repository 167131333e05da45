//! `quai engine`, or a link named `dockerd`: starts the async runtime and the engine in it.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use engine::daemon::{Config, EngineArgs};
use tracing_subscriber::EnvFilter;

/// Runs the engine until it is told to stop.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let args = EngineArgs::parse_from(std::iter::once("quai engine".into()).chain(words));
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quai engine: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: EngineArgs) -> anyhow::Result<()> {
    let config = Config::resolve(args)?;
    let level = if config.log_level == "fatal" {
        "error"
    } else {
        &config.log_level
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(engine::api::run(config, |address| {
        eprintln!("API listen on {address}")
    }))?;
    // Threads that still wait for a container must not keep the process alive.
    runtime.shutdown_background();
    Ok(())
}

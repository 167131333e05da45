//! `quai registry`: starts the async runtime and the registry in it.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitCode;

use clap::Parser;
use engine::registry_server::{RegistryArgs, password_line, run as serve};
use tracing_subscriber::EnvFilter;

/// Runs the registry until it is told to stop.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let args = RegistryArgs::parse_from(std::iter::once("quai registry".into()).chain(words));
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quai registry: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: RegistryArgs) -> anyhow::Result<()> {
    if let Some(name) = &args.password_for {
        let mut password = String::new();
        std::io::stdin().read_to_string(&mut password)?;
        let line = password_line(name, password.trim_end_matches(['\n', '\r']))?;
        writeln!(std::io::stdout().lock(), "{line}")?;
        return Ok(());
    }
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("QUAI_LOG").unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let scheme = if args.tls_cert.is_some() {
        "https"
    } else {
        "http"
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(serve(args, |address| {
        eprintln!("registry listens on {scheme}://{address}");
    }))?;
    runtime.shutdown_background();
    Ok(())
}

//! `quai engine`, or a link named `dockerd`: starts the async runtime and the engine in it.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::Parser;
use engine::daemon::{Config, EngineArgs, Host, Rootless};
use tracing_subscriber::EnvFilter;

/// Runs the engine until it is told to stop.
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    let name = std::iter::once("quai engine".into());
    let args = EngineArgs::parse_from(name.chain(words.iter().cloned()));
    match start(args, &words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quai engine: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What changes the level of the log.
type SetLevel = Box<dyn Fn(&str) + Send + Sync>;

/// Set once, when the log begins.
static SET_LEVEL: OnceLock<SetLevel> = OnceLock::new();

fn set_level(level: &str) {
    if let Some(set) = SET_LEVEL.get() {
        set(level);
    }
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(if level == "fatal" { "error" } else { level })
}

fn start(args: EngineArgs, words: &[OsString]) -> anyhow::Result<()> {
    kernel::memory::keep_little();
    let mut config = Config::resolve(args)?;
    config.unpacker = Some(std::env::current_exe()?);
    if config.validate {
        eprintln!("configuration OK");
        return Ok(());
    }
    if config.rootless == Rootless::Outside {
        let number = |host: &Host| match host {
            Host::Fd(fd) => Some(*fd),
            _ => None,
        };
        let keep: Vec<i32> = config.hosts.iter().filter_map(number).collect();
        let warn = |text: &str| eprintln!("quai engine: {text}");
        let refused = engine::rootless::enter(&config.exec_root, words, &keep, warn);
        return Err(refused.into());
    }
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter(&config.log_level))
        .with_filter_reloading();
    let handle = log.reload_handle();
    log.init();
    let set = move |level: &str| {
        if let Err(error) = handle.reload(filter(level)) {
            tracing::warn!("the log keeps its level: {error}");
        }
    };
    SET_LEVEL.get_or_init(|| Box::new(set));
    config.on_log_level = Some(set_level);
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

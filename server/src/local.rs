//! `quai local`: one learner, this host, no login.
//!
//! The order matters: everything that needs root is done first, then the helper keeps root and
//! this process becomes the ordinary user, and only then is anything served.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use kernel::lock::FileLock;
use kernel::process::effective_uid;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use web::messages::say;

use crate::app::{App, Lack, Shared};
use crate::config::{Browser, Config, UsageError, has_machine_image};
use crate::course::source::Source;
use crate::course::{self, Course};
use crate::error::chain;
use crate::machine::helper::client::Machines;
use crate::machine::helper::{HelperSocket, spawn_and_drop};
use crate::machine::pool::{Capacity, Launcher, Pool};
use crate::machine::spec::Limits;
use crate::progress::Progress;
use crate::published::Published;
use crate::router::router;
use crate::session::watches::Watches;
use crate::tools::doctor::{self, Level};

/// Why the server does not start: one sentence with its remedy.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl Refused {
    /// The sentence `local.error.{key}`.
    fn new(key: &str, values: &[(&str, &str)]) -> Self {
        Self(say(&format!("local.error.{key}"), values))
    }
}

/// Runs the role until it is told to stop.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    let config = match Config::parse(words) {
        Ok(config) => config,
        Err(UsageError::Help) => return say_usage(),
        Err(error) => return refuse_usage(&error),
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("QUAI_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_writer(io::stderr)
        .init();
    match prepare(&config).and_then(|prepared| serve(config, prepared)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refused(sentence)) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "help was asked, and this is the answer"
)]
fn say_usage() -> ExitCode {
    println!("{}", say("local.usage", &[]));
    ExitCode::SUCCESS
}

fn refuse_usage(error: &UsageError) -> ExitCode {
    let (key, word) = match error {
        UsageError::Unknown(word) => ("unknown", word.as_str()),
        UsageError::NoValue(word) => ("no-value", word.as_str()),
        UsageError::Port(word) => ("port", word.as_str()),
        UsageError::Network(word) => ("network", word.as_str()),
        UsageError::Domain(word) => ("domain", word.as_str()),
        UsageError::Help => ("more", ""),
    };
    let sentence = say(&format!("local.usage-error.{key}"), &[("word", word)]);
    eprintln!("{sentence} {}", say("local.usage-error.more", &[]));
    ExitCode::from(2)
}

/// What root made ready.
struct Prepared {
    lacks: Vec<Lack>,
    helper: HelperSocket,
    /// Held until the end: a second server on the same data is refused.
    _lock: FileLock,
}

/// Everything that needs root.
fn prepare(config: &Config) -> Result<Prepared, Refused> {
    if effective_uid() != 0 {
        return Err(Refused::new("root", &[]));
    }
    let shown = config.data.display().to_string();
    let folder = |source: io::Error| {
        Refused::new("folder", &[("data", &shown), ("why", &source.to_string())])
    };
    std::fs::create_dir_all(&config.data).map_err(folder)?;
    let lock = FileLock::try_now(&config.data.join("lock")).map_err(|error| {
        match error.source.kind() {
            io::ErrorKind::WouldBlock => Refused::new("locked", &[("data", &shown)]),
            _ => Refused::new("folder", &[("data", &shown), ("why", &chain(&error))]),
        }
    })?;
    free_port(config.port)?;
    let findings = doctor::examine(&config.data);
    if let Some(finding) = findings.iter().find(|finding| finding.level == Level::Fail) {
        let remedy = finding.remedy().unwrap_or_default();
        let why = finding.sentence();
        return Err(Refused::new(
            "kernel",
            &[("why", &why), ("remedy", &remedy)],
        ));
    }
    if !has_machine_image(&config.store()) {
        let store = config.store().display().to_string();
        return Err(Refused::new("images", &[("store", &store)]));
    }
    // From here on this process is an ordinary user, who owns DATA/web.
    let helper = spawn_and_drop(&config.data)
        .map_err(|error| Refused::new("folder", &[("data", &shown), ("why", &chain(&error))]))?;
    Ok(Prepared {
        lacks: doctor::lacks(&findings),
        helper,
        _lock: lock,
    })
}

/// Refuses a taken port before anything else is started.
fn free_port(port: u16) -> Result<(), Refused> {
    match std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(cannot_listen(port, &error)),
    }
}

fn cannot_listen(port: u16, error: &io::Error) -> Refused {
    let other = port.checked_add(1).unwrap_or(Config::PORT).to_string();
    let key = match error.kind() {
        io::ErrorKind::AddrInUse => "port",
        _ => "listen",
    };
    let port = port.to_string();
    Refused::new(
        key,
        &[
            ("port", &port),
            ("other", &other),
            ("why", &error.to_string()),
        ],
    )
}

/// Everything that needs no right.
#[tokio::main]
async fn serve(config: Config, prepared: Prepared) -> Result<(), Refused> {
    let data = config.data.display().to_string();
    let launcher = Machines::new(prepared.helper, Limits::default(), config.network)
        .map_err(|e| Refused::new("folder", &[("data", &data), ("why", &e.to_string())]))?;
    let app = build(config, Arc::new(launcher), prepared.lacks)?;
    if let Err(error) = app.pool.adopt().await {
        tracing::warn!(error = %chain(&error), "machines that are alive were not found");
    }
    let port = app.config.port;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| cannot_listen(port, &error))?;
    announce(&app.config);
    let stop = stop_signal().map_err(|error| {
        Refused::new(
            "listen",
            &[("port", &port.to_string()), ("why", &error.to_string())],
        )
    })?;
    tokio::select! {
        done = axum::serve(listener, router(Arc::clone(&app))) => {
            if let Err(error) = done {
                return Err(cannot_listen(port, &error));
            }
        }
        () = stop => farewell(&app),
    }
    Ok(())
}

fn build(config: Config, launcher: Arc<dyn Launcher>, lacks: Vec<Lack>) -> Result<Shared, Refused> {
    let source = match &config.content {
        Some(folder) => Source::Folder(folder.clone()),
        None => Source::Embedded,
    };
    let course: Course = course::load::load(&source)
        .map_err(|error| Refused::new("content", &[("why", &chain(&error))]))?;
    for fault in course.all_faults() {
        eprintln!("{fault}");
    }
    let path = config.database();
    let progress = Progress::open(&path).map_err(|error| {
        let path = path.display().to_string();
        Refused::new("database", &[("why", &chain(&error)), ("path", &path)])
    })?;
    let sockets = config.data.join("run");
    let pool = Arc::new(Pool::new(launcher, sockets, Capacity::of_this_host()));
    let watches = Arc::new(Watches::new(Arc::clone(&pool), progress.clone()));
    let published = Published::below(config.published.clone());
    Ok(Arc::new(App {
        config,
        source,
        course,
        progress,
        pool,
        watches,
        published,
        lacks,
    }))
}

#[expect(clippy::print_stdout, reason = "scripts and people wait for this line")]
fn announce(config: &Config) {
    println!("{}", say("local.ready", &[("url", &config.url())]));
    let graphical = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    if config.browser == Browser::Open && graphical {
        // A convenience: the address is printed in any case.
        let opened = std::process::Command::new("xdg-open")
            .arg(config.url())
            .spawn();
        if let Err(error) = opened {
            tracing::info!(%error, "no browser was opened");
        }
    }
}

fn farewell(app: &App) {
    let alive = app.pool.alive();
    let data = app.config.data.display().to_string();
    let sentence = match alive {
        0 => say("local.stop.none", &[("data", &data)]),
        _ => say("local.stop.some", &[("count", &alive.to_string())]),
    };
    eprintln!("{sentence}");
}

/// Ends at Ctrl-C or SIGTERM.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

//! The Docker-compatible command line: a client like any other.
//!
//! It speaks to the daemon through its socket only and shares nothing else with it. It promises
//! Docker's spelling of commands and options, Docker's sentences and exit codes, and that an
//! option it does not implement is an error. Reading order: `flags` (words → options),
//! `commands` (one file per command), `client` (requests), `attach` (streams), `format` (output).

mod flags;
mod options;
mod path;

mod build;
mod commands;
mod help;
pub mod inventory;

mod client;
mod config;
mod connect;
mod context;
mod credentials;
mod download;
mod messages;
mod text;
mod upload;
mod wire;

mod attach;
mod demux;
mod detach;
mod tty;

mod error;
mod format;
mod output;
mod template;

use std::ffi::OsString;
use std::process::ExitCode;

use client::Client;
use commands::Found;
use config::Config;
use context::Target;
use context::endpoint::Endpoint;
use context::store::Store;
use detach::DetachKeys;
use error::CliError;
use flags::{Flag, Matches, Order};

/// What a command needs besides its own words.
#[derive(Debug)]
struct Session {
    client: Client,
    /// The options that stood before the command.
    global: Matches,
    config: Config,
    /// The name of the context in use.
    context: String,
}

impl Session {
    /// `--format`, or the settings' own; a list of bare ids has none.
    fn format<'s>(&'s self, matches: &'s Matches, setting: &str) -> Option<&'s str> {
        let quiet = matches.declares("quiet") && matches.on("quiet");
        let settled = || self.config.text(setting).filter(|_| !quiet);
        matches.text("format").or_else(settled)
    }

    /// The keys that leave a container: those of the call, those of the settings, the usual ones.
    fn detach_keys(&self, matches: &Matches) -> Result<DetachKeys, CliError> {
        let settled = self
            .config
            .text("detachKeys")
            .filter(|_| !matches.given("detach-keys"));
        DetachKeys::parse(settled.unwrap_or(matches.text("detach-keys").unwrap_or_default()))
    }

    /// The contexts that are kept beside the settings.
    fn contexts(&self) -> Store {
        Store::new(self.config.directory())
    }
}

/// Options that stand before the command.
const GLOBAL: &[Flag] = &[
    Flag::text(
        "config",
        "Directory of the client's settings (default \"~/.docker\")",
    ),
    Flag::text(
        "context",
        "Context to use (instead of DOCKER_HOST and of the one set with \"docker context use\")",
    )
    .short('c'),
    Flag::switch("debug", "Enable debug mode").short('D'),
    Flag::list("host", "Daemon to connect to: unix://, tcp:// or ssh://").short('H'),
    Flag::text(
        "log-level",
        "What to log (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")",
    )
    .short('l')
    .default("info"),
    Flag::switch("tls", "Use TLS; --tlsverify implies it"),
    Flag::text(
        "tlscacert",
        "Authority that signs the daemon's certificate (default \"~/.docker/ca.pem\")",
    ),
    Flag::text(
        "tlscert",
        "Our own certificate (default \"~/.docker/cert.pem\")",
    ),
    Flag::text("tlskey", "Its key (default \"~/.docker/key.pem\")"),
    Flag::switch("tlsverify", "Use TLS and make the daemon prove who it is"),
    Flag::switch("version", "Print version information and quit").short('v'),
];

/// Runs one command line, without its first word (`docker`), to its exit code.
pub fn main(words: Vec<OsString>) -> ExitCode {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(dispatch(&words));
            runtime.shutdown_background();
            result
        }
        Err(source) => Err(CliError::Stream {
            doing: "start the runtime",
            source,
        }),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            if !error.is_closed_pipe() {
                output::complain(&error.to_string());
            }
            ExitCode::from(error.code())
        }
    }
}

async fn dispatch(words: &[String]) -> Result<u8, CliError> {
    let global = Matches::parse(&[GLOBAL], words, Order::First)
        .map_err(|error| help::refused_globally(&error))?;
    if global.on("version") {
        output::line(&commands::system::version::one_line())?;
        return Ok(0);
    }
    if global.operands.is_empty() {
        output::print(&help::overview(GLOBAL))?;
        return Ok(0);
    }
    if global.help.is_some() {
        output::print(&help::overview(GLOBAL))?;
        return Ok(0);
    }
    let level = global.text("log-level").unwrap_or_default();
    if ![
        "panic", "fatal", "error", "warn", "warning", "info", "debug", "trace",
    ]
    .contains(&level)
    {
        return Err(CliError::Said(format!(
            "Unable to parse logging level: {level}"
        )));
    }
    let operands = commands::compose::unfold(&global.operands)?;
    let (command, path, rest) = match commands::find(&operands) {
        Found::Command {
            command,
            path,
            rest,
        } => (command, path, rest),
        Found::Group(group) => {
            output::print(&help::group(group))?;
            return Ok(0);
        }
        Found::Nothing(error) => return Err(error),
    };
    let mut matches = Matches::parse(command.flags, rest, command.order)
        .map_err(|error| help::refused(command, &path, &error))?;
    matches.path = path;
    // Docker's parser tells what is deprecated on standard output.
    for warning in &matches.warnings {
        output::line(warning)?;
    }
    if matches.help.is_some() || (matches.declares("help") && matches.on("help")) {
        output::print(&help::command(command, &matches.path))?;
        return Ok(0);
    }
    help::count_operands(command, &matches)?;
    let session = open(global, command)?;
    (command.run)(&session, &matches).await
}

/// Reads the settings and finds the daemon; nothing is sent to it yet.
fn open(global: Matches, command: &commands::Command) -> Result<Session, CliError> {
    let directory = match global.text("config") {
        Some(path) => path.into(),
        None => config::default_directory(),
    };
    let (config, warning) = Config::load(&directory);
    if let Some(warning) = warning {
        output::complain(&warning);
    }
    let context = context::chosen(&global, &config)?;
    let target = match context::target(&context, &global, &config) {
        // Whoever mends a broken context needs these commands.
        Err(_) if command.is_local() => Target {
            host: context::endpoint::DEFAULT_HOST.to_owned(),
            endpoint: Endpoint::parse(context::endpoint::DEFAULT_HOST)?,
            tls: None,
        },
        target => target?,
    };
    Ok(Session {
        client: Client::new(target, config.headers()),
        global,
        config,
        context,
    })
}

//! The Docker-compatible command line: a client like any other.
//!
//! It speaks to the daemon through its socket only and shares nothing else with it. It promises
//! Docker's spelling of commands and options, Docker's sentences and exit codes, and that an
//! option it does not implement is an error. Reading order: `flags` (words → options),
//! `commands` (one file per command), `client` (requests), `attach` (streams), `format` (output).

mod flags;
mod options;
mod path;

mod commands;
mod help;

mod client;
mod context;
mod credentials;
mod download;
mod messages;
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
use error::CliError;
use flags::{Flag, Matches, Order};

/// What a command needs besides its own words.
#[derive(Debug)]
struct Session {
    client: Client,
}

/// Options that stand before the command.
const GLOBAL: &[Flag] = &[
    Flag::text(
        "context",
        "Name of the context to use (only \"default\" exists)",
    )
    .short('c'),
    Flag::list(
        "host",
        "Daemon to connect to: unix:///PATH or tcp://HOST:PORT",
    )
    .short('H'),
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
    let (command, path, rest) = match commands::find(&global.operands) {
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
    if matches.help.is_some() {
        output::print(&help::command(command, &matches.path))?;
        return Ok(0);
    }
    help::count_operands(command, &matches)?;
    let session = Session {
        client: Client::new(&host(&global)?)?,
    };
    (command.run)(&session, &matches).await
}

/// The daemon to talk to: `-H`, then `DOCKER_HOST`, then the usual socket.
fn host(global: &Matches) -> Result<String, CliError> {
    let context = global.text("context").map(str::to_owned);
    let context = context.or_else(|| std::env::var("DOCKER_CONTEXT").ok());
    if let Some(context) = context.filter(|name| !name.is_empty() && name != "default") {
        return Err(CliError::Said(format!(
            "Failed to initialize: unable to resolve docker endpoint: context \"{context}\": \
             context not found: only \"default\" exists; use -H or DOCKER_HOST"
        )));
    }
    if let Some(host) = global.all("host").last() {
        return Ok(host.clone());
    }
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    Ok(if host.is_empty() {
        context::DEFAULT_HOST.to_owned()
    } else {
        host
    })
}

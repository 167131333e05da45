//! `docker version` and `docker --version`.

use serde_json::{Value, json};

use crate::cli::Session;
use crate::cli::client::API_VERSION;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::{age, document};
use crate::cli::output;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["version"],
    about: "Show the version of the client and of the engine",
    synopsis: "[OPTIONS]",
    flags: &[OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[Flag::text("format", "\"json\" or a Go template").short('f')];

/// `Docker version …`
pub(crate) fn one_line() -> String {
    format!("Docker version {}, build quai", env!("CARGO_PKG_VERSION"))
}

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let answer = session.client.get(&Query::new(&["version"])).await;
    let spoken = session.client.version();
    let client = json!({
        "Version": env!("CARGO_PKG_VERSION"),
        "ApiVersion": spoken,
        "DefaultAPIVersion": API_VERSION,
        "GitCommit": "",
        "GoVersion": "",
        "Os": std::env::consts::OS,
        "Arch": architecture(),
        "BuildTime": "",
        "Context": session.context,
    });
    let (server, error) = match answer {
        Ok(server) => (server, None),
        Err(error) => (Value::Null, Some(error)),
    };
    if let Some(format) = matches.text("format") {
        // A template that asks for the server of a dead daemon fails on its own.
        if let (true, Some(error)) = (format.contains(".Server"), error.as_ref()) {
            return Err(CliError::Said(error.to_string()));
        }
        let both = json!({ "Client": client, "Server": server });
        document::print_named(&both, format, "version", "system.versionInfo")?;
    } else {
        output::print(&client_text(&client))?;
        if error.is_none() {
            output::print(&server_text(&server))?;
        }
    }
    error.map_or(Ok(0), Err)
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn client_text(client: &Value) -> String {
    let text = |key: &str| client[key].as_str().unwrap_or_default();
    let downgraded = match text("ApiVersion") {
        API_VERSION => String::new(),
        _ => format!(" (downgraded from {API_VERSION})"),
    };
    format!(
        "Client:\n Version:           {}\n API version:       {}{downgraded}\n \
         OS/Arch:           {}/{}\n Context:           {}\n",
        text("Version"),
        text("ApiVersion"),
        text("Os"),
        text("Arch"),
        text("Context"),
    )
}

fn server_text(server: &Value) -> String {
    let mut text = "\nServer:\n".to_owned();
    for component in server["Components"].as_array().into_iter().flatten() {
        let name = component["Name"].as_str().unwrap_or_default();
        let detail = |key: &str| component["Details"][key].as_str().unwrap_or_default();
        let version = component["Version"].as_str().unwrap_or_default();
        text.push_str(&format!(" {name}:\n  {:<18}{version}\n", "Version:"));
        if name == "Engine" {
            for (title, value) in [
                (
                    "API version:",
                    format!(
                        "{} (minimum version {})",
                        detail("ApiVersion"),
                        detail("MinAPIVersion")
                    ),
                ),
                ("Go version:", detail("GoVersion").to_owned()),
                ("Git commit:", detail("GitCommit").to_owned()),
                ("Built:", age::c_time(detail("BuildTime"))),
                ("OS/Arch:", format!("{}/{}", detail("Os"), detail("Arch"))),
                ("Experimental:", detail("Experimental").to_owned()),
            ] {
                // Our engine is not written in Go; a line that says nothing is left out.
                if !value.is_empty() {
                    text.push_str(&format!("  {title:<18}{value}\n"));
                }
            }
        } else {
            text.push_str(&format!("  {:<18}{}\n", "GitCommit:", detail("GitCommit")));
        }
    }
    text
}

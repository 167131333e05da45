//! `docker compose version`.

use serde_json::json;

use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose version"],
    about: "Show the Docker Compose version information",
    synopsis: "[OPTIONS]",
    flags: &[super::PROJECT, OWN],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(version(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::text("format", "Format the output. Values: [pretty | json]")
        .short('f')
        .default("pretty"),
    Flag::switch("short", "Shows only Compose's version number"),
];

/// The version of docker compose whose behaviour this is.
const LIKE: &str = "2.32.4";

async fn version(_: &Session, matches: &Matches) -> Result<u8, CliError> {
    let text = match (matches.on("short"), matches.text("format")) {
        (true, _) => LIKE.to_owned(),
        (false, Some("json")) => json!({ "version": format!("v{LIKE}") }).to_string(),
        (false, _) => format!(
            "Docker Compose version v{LIKE} (quai {})",
            env!("CARGO_PKG_VERSION")
        ),
    };
    output::line(&text)?;
    Ok(0)
}

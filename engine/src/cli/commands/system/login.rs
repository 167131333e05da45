//! `docker login` and `docker logout`: refused until the engine can keep credentials.

use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::Order;

/// `docker login`
pub(crate) static LOGIN: Command = Command {
    paths: &["login"],
    about: "Authenticate to a registry",
    synopsis: "[SERVER]",
    flags: &[],
    operands: Operands::AtMost(1),
    order: Order::Anywhere,
    run: |_, _| Box::pin(async { Err(refusal("login")) }),
};

/// `docker logout`
pub(crate) static LOGOUT: Command = Command {
    paths: &["logout"],
    about: "Log out from a registry",
    synopsis: "[SERVER]",
    flags: &[],
    operands: Operands::AtMost(1),
    order: Order::Anywhere,
    run: |_, _| Box::pin(async { Err(refusal("logout")) }),
};

fn refusal(command: &str) -> CliError {
    CliError::Said(format!(
        "docker {command}: this engine does not authenticate to registries yet; \
         pull from a registry or a catalogue that needs no account"
    ))
}

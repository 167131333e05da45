//! Commands about the engine as a whole, and those that concern every kind of object.

mod df;
pub(crate) mod dial_stdio;
mod events;
mod info;
mod inspect;
mod login;
mod logout;
mod prune;
pub(crate) mod version;

use super::{Command, Operands};
use crate::cli::flags::Order;
use crate::cli::{GLOBAL, help, output};

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[
    &df::COMMAND,
    &dial_stdio::COMMAND,
    &events::COMMAND,
    &info::COMMAND,
    &inspect::COMMAND,
    &login::COMMAND,
    &logout::COMMAND,
    &prune::COMMAND,
    &version::COMMAND,
];

/// `docker help`
pub(crate) static HELP: Command = Command {
    paths: &["help"],
    about: "Help about a command",
    synopsis: "[COMMAND]",
    flags: &[],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |_, _| {
        Box::pin(async {
            output::print(&help::overview(GLOBAL))?;
            Ok(0)
        })
    },
};

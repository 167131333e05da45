//! Commands about networks.

mod connect;
mod create;
mod disconnect;
mod inspect;
mod ls;
pub(crate) mod prune;
mod rm;

use super::Command;

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[
    &connect::COMMAND,
    &create::COMMAND,
    &disconnect::COMMAND,
    &inspect::COMMAND,
    &ls::COMMAND,
    &prune::COMMAND,
    &rm::COMMAND,
];

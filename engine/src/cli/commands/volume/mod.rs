//! Commands about volumes.

mod create;
mod inspect;
mod ls;
pub(crate) mod prune;
mod rm;
mod update;

use super::Command;

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[
    &create::COMMAND,
    &inspect::COMMAND,
    &ls::COMMAND,
    &prune::COMMAND,
    &rm::COMMAND,
    &update::COMMAND,
];

//! Commands about contexts: which daemons this user's command line knows. None of them talks to one.

mod archive;
mod create;
mod inspect;
mod ls;
mod rm;
mod select;
mod update;

use super::Command;

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[
    &archive::EXPORT,
    &archive::IMPORT,
    &create::COMMAND,
    &inspect::COMMAND,
    &ls::COMMAND,
    &rm::COMMAND,
    &select::SHOW,
    &select::USE,
    &update::COMMAND,
];

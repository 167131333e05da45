//! Commands about manifest lists: put together here, pushed to a registry. No daemon takes part.

mod annotate;
mod create;
mod inspect;
mod notebook;
mod push;
mod remote;
mod rm;

use super::Command;

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[
    &annotate::COMMAND,
    &create::COMMAND,
    &inspect::COMMAND,
    &push::COMMAND,
    &rm::COMMAND,
];

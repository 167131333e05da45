//! Commands about containers.

mod attach;
mod create;
mod create_body;
mod create_options;
mod exec;
mod logs;
mod ls;
mod rm;
mod run;
mod start;

use super::Command;

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[
    &attach::COMMAND,
    &create::COMMAND,
    &exec::COMMAND,
    &logs::COMMAND,
    &ls::COMMAND,
    &rm::COMMAND,
    &run::COMMAND,
    &start::COMMAND,
];

//! Commands about containers.

mod create;
mod create_body;
mod create_limits;
mod create_options;
mod lifecycle;
mod listed;
mod listed_ports;
mod rm;
mod run;
mod start;
mod wait;

mod attach;
mod exec;
mod logs;

pub(crate) mod inspect;
pub(crate) mod ls;
mod port;
mod stats;
mod top;

mod commit;
mod cp;
mod diff;
mod export;
pub(crate) mod prune;
mod rename;
mod update;

use super::Command;

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[
    &attach::COMMAND,
    &commit::COMMAND,
    &cp::COMMAND,
    &create::COMMAND,
    &diff::COMMAND,
    &exec::COMMAND,
    &export::COMMAND,
    &inspect::COMMAND,
    &lifecycle::KILL,
    &lifecycle::PAUSE,
    &lifecycle::RESTART,
    &lifecycle::STOP,
    &lifecycle::UNPAUSE,
    &logs::COMMAND,
    &ls::COMMAND,
    &port::COMMAND,
    &prune::COMMAND,
    &rename::COMMAND,
    &rm::COMMAND,
    &run::COMMAND,
    &start::COMMAND,
    &stats::COMMAND,
    &top::COMMAND,
    &update::COMMAND,
    &wait::COMMAND,
];

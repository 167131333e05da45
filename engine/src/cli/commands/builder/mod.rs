//! Commands about builds.

pub(crate) mod prune;

use super::Command;

/// Every one of them; `docker builder build` is `docker build`.
pub(crate) static COMMANDS: &[&Command] = &[&prune::COMMAND];

//! Commands about images.

pub(crate) mod ls;
pub(crate) mod pull;

use super::Command;

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[&ls::COMMAND, &pull::COMMAND];

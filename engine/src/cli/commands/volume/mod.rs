//! Commands about volumes.

use super::Command;

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[];

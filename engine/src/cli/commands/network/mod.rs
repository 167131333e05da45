//! Commands about networks.

use super::Command;

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[];

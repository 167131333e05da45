//! What a command does to the project, a line for each thing, on stderr.

use crate::cli::flags::Matches;
use crate::cli::output;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Every step.
    Steps,
    /// Nothing.
    Nothing,
}

impl Report {
    /// As `--progress` says.
    pub(super) fn of(matches: &Matches) -> Self {
        match matches.text("progress") {
            Some("quiet") => Self::Nothing,
            _ => Self::Steps,
        }
    }

    /// ` Container app-web-1  Started`
    pub(super) fn step(self, kind: &str, name: &str, what: &str) {
        if self == Self::Steps {
            output::complain(&format!(" {kind} {name}  {what}"));
        }
    }
}

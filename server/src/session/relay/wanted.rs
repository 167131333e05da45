//! What a browser asks in a terminal's address.

use serde::Deserialize;

use crate::machine::keeper::Size;

/// Which terminal a browser wants, and what it has drawn of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The terminal's name in its machine.
    pub(crate) name: String,
    /// Width in cells.
    pub(crate) cols: u16,
    /// Height in cells.
    pub(crate) rows: u16,
    /// The number of the last output byte received, if any.
    pub(crate) resume: Option<u64>,
}

/// The query of a terminal's address.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Asked {
    #[serde(default = "usual_cols")]
    cols: u16,
    #[serde(default = "usual_rows")]
    rows: u16,
    #[serde(default)]
    resume: Option<u64>,
}

impl Asked {
    /// What it means for the terminal of this name.
    pub(crate) fn wanted(self, name: &str) -> Wanted {
        let size = Size::clamped(self.cols, self.rows);
        Wanted {
            name: name.to_owned(),
            cols: size.cols(),
            rows: size.rows(),
            resume: self.resume,
        }
    }
}

fn usual_cols() -> u16 {
    80
}

fn usual_rows() -> u16 {
    24
}

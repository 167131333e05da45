//! Sizes that a terminal may have.

use std::num::NonZeroU16;

/// A terminal's size within what the emulation accepts: 2..=500 columns, 1..=200 rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    cols: u16,
    rows: u16,
}

impl Size {
    /// The nearest size that is allowed.
    pub(crate) fn clamped(cols: u16, rows: u16) -> Self {
        Self {
            cols: cols.clamp(2, 500),
            rows: rows.clamp(1, 200),
        }
    }

    /// Width in cells.
    pub(crate) fn cols(self) -> u16 {
        self.cols
    }

    /// Height in cells.
    pub(crate) fn rows(self) -> u16 {
        self.rows
    }

    /// The size as the kernel wants it.
    pub(crate) fn window(self) -> kernel::pty::WindowSize {
        kernel::pty::WindowSize {
            cols: self.cols,
            rows: self.rows,
        }
    }

    /// Rows, then columns, as the emulation wants them.
    pub(super) fn nonzero(self) -> (NonZeroU16, NonZeroU16) {
        let nonzero = |n| NonZeroU16::new(n).expect("sizes are clamped above zero");
        (nonzero(self.rows), nonzero(self.cols))
    }
}

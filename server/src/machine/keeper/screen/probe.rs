//! What the emulation knows but does not tell, found by trying on a copy.

/// The screen as it would be after `bytes`.
pub(super) fn after(screen: &vt100::Screen, bytes: &[u8]) -> vt100::Screen {
    let (rows, cols) = screen.size();
    let mut parser = vt100::Parser::new(rows, cols, 0);
    *parser.screen_mut() = screen.clone();
    parser.process(bytes);
    parser.screen().clone()
}

/// The rows that scroll, and whether cursor addresses count from the first of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Margins {
    /// First and last row, from 0; `None` is the whole screen.
    pub(super) region: Option<(u16, u16)>,
    /// Origin mode (DECOM).
    pub(super) relative: bool,
}

/// Reads the margins of a screen: only in origin mode does the cursor stop at them.
pub(super) fn margins(screen: &vt100::Screen) -> Margins {
    let row_after = |bytes: &[u8]| after(screen, bytes).cursor_position().0;
    let top = row_after(b"\x1b[?6h\x1b[1;1H");
    let bottom = row_after(b"\x1b[?6h\x1b[999;1H");
    let last = screen.size().0.get() - 1;
    let region = ((top, bottom) != (0, last)).then_some((top, bottom));
    let relative =
        region.is_some() && (row_after(b"\x1b[1;1H"), row_after(b"\x1b[999;1H")) == (top, bottom);
    Margins { region, relative }
}

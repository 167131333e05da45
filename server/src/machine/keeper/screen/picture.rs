//! The picture itself: bytes in, a redraw out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::probe;
use super::replies::Replies;
use super::size::Size;
use vt100::capture::{BasicFormattedCaptureRange, BasicFormattedCaptureState};

/// Rows above the screen that are kept and drawn again.
pub(super) const SCROLLBACK_ROWS: usize = 2000;
/// The part of the scrollback that a redraw carries, in bytes.
pub(super) const SCROLLBACK_BYTES: usize = 1024 * 1024;

/// An emulated screen: bytes in, a picture out.
pub(crate) struct Screen {
    size: Size,
    pub(super) parser: vt100::Parser<Replies>,
}

impl Screen {
    /// An empty screen.
    pub(crate) fn new(size: Size) -> Self {
        let (rows, cols) = size.nonzero();
        let parser =
            vt100::Parser::new_with_callbacks(rows, cols, SCROLLBACK_ROWS, Replies::default());
        Self { size, parser }
    }

    /// Its size.
    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Draws output, and gives what the terminal itself answers to it (cursor reports and such).
    pub(crate) fn draw(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.survive(|parser| parser.process(bytes));
        self.parser.callbacks_mut().take()
    }

    /// Changes the size as the learner's window did.
    pub(crate) fn resize(&mut self, size: Size) {
        let (rows, cols) = size.nonzero();
        self.size = size;
        self.survive(|parser| parser.set_size(rows, cols));
    }

    /// Bytes that draw everything on any terminal of this size, whatever it showed before.
    ///
    /// In this order: reset, scrollback, primary screen, alternate screen if it is shown,
    /// margins, saved cursor, cursor, modes. The title is not drawn.
    pub(crate) fn redraw(&self) -> Vec<u8> {
        let screen = self.parser.screen();
        let mut out = String::from("\x1bc");
        if screen.alternate_screen() {
            let primary = probe::after(screen, b"\x1b[?1049l");
            draw_primary(&mut out, &primary);
            out.push_str("\x1b[?1049h");
            out.push_str(&screen.contents_formatted());
        } else {
            draw_primary(&mut out, screen);
        }
        draw_cursor(&mut out, screen);
        out.push_str(&screen.input_mode_formatted());
        out.push_str(&self.parser.callbacks().modes());
        out.into_bytes()
    }

    /// Bytes that end what a program that died may have left: alternate screen, margins, modes.
    pub(crate) fn tidy(&self) -> Vec<u8> {
        let screen = self.parser.screen();
        let mut out = String::new();
        if screen.alternate_screen() {
            out.push_str("\x1b[?1049l");
        }
        if probe::margins(screen).region.is_some() {
            out.push_str("\x1b[?6l\x1b[r\x1b[999;1H");
        }
        out.push_str("\x1b[?7h\x1b[?25h\x1b[?1l\x1b>\x1b[?2004l\x1b[?1004l");
        out.push_str("\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l");
        out.push_str("\x1b(B\x0f\x1b[m\x1b[0 q\r\n");
        out.into_bytes()
    }

    /// The emulation reads hostile bytes: if it panics, the picture is lost but not the keeper.
    fn survive(&mut self, act: impl FnOnce(&mut vt100::Parser<Replies>)) {
        let parser = &mut self.parser;
        if catch_unwind(AssertUnwindSafe(|| act(parser))).is_err() {
            tracing::error!("the screen emulation failed; the screen starts again empty");
            *self = Self::new(self.size);
        }
    }
}

fn draw_primary(out: &mut String, screen: &vt100::Screen) {
    let mut history = String::new();
    screen
        .write_contents_formatted_basic(
            &mut history,
            BasicFormattedCaptureRange::Full(&mut BasicFormattedCaptureState::new()),
        )
        .expect("writing to a string does not fail");
    if screen.scrollback_len() > 0 {
        let cut = history.len().saturating_sub(SCROLLBACK_BYTES);
        let start = history[..].ceil_newline(cut);
        out.push_str(&history[start..].replace('\n', "\r\n"));
        out.push_str("\x1b[m");
    }
    out.push_str(&screen.contents_formatted());
}

/// Where a long history may be cut: at its start, or after a line's end.
trait CeilNewline {
    fn ceil_newline(&self, at: usize) -> usize;
}

impl CeilNewline for str {
    fn ceil_newline(&self, at: usize) -> usize {
        if at == 0 {
            return 0;
        }
        let rest = &self.as_bytes()[at..];
        rest.iter()
            .position(|b| *b == b'\n')
            .map_or(self.len(), |i| at + i + 1)
    }
}

/// Saved cursor, margins, then the cursor itself, which moving margins had sent home.
fn draw_cursor(out: &mut String, screen: &vt100::Screen) {
    let saved = probe::after(screen, b"\x1b8");
    let (row, col) = saved.cursor_position();
    out.push_str(&format!("\x1b[{};{}H", row + 1, col + 1));
    out.push_str(&saved.attributes_formatted());
    out.push_str("\x1b7");

    let margins = probe::margins(screen);
    if let Some((top, bottom)) = margins.region {
        out.push_str(&format!("\x1b[{};{}r", top + 1, bottom + 1));
    }
    if margins.relative {
        let (row, col) = screen.cursor_position();
        let top = margins.region.map_or(0, |(top, _)| top);
        let row = row.saturating_sub(top);
        out.push_str(&format!("\x1b[?6h\x1b[{};{}H", row + 1, col + 1));
    } else {
        out.push_str(&screen.cursor_state_formatted());
    }
    out.push_str(&screen.attributes_formatted());
}

//! What a terminal answers by itself, and the modes that only the browser's side acts on.
//!
//! The keeper answers, and browsers do not: a program asks once and must hear one answer, whether
//! no browser is attached or three are. Titles, clipboard and unknown questions get none.

use std::collections::BTreeSet;

/// Answers kept between two writes to the shell; a flood of questions loses the rest.
const MAX_HELD: usize = 4096;
/// Modes that the emulation ignores but a redraw must set again: reverse video, autowrap off is
/// `?7l`, focus reports, alternate scroll.
const CARRIED: [u16; 4] = [5, 12, 1004, 1007];

/// The terminal's answers so far, and the carried modes that are set.
#[derive(Debug, Default)]
pub(super) struct Replies {
    held: Vec<u8>,
    set: BTreeSet<u16>,
    no_wrap: Wrap,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Wrap {
    #[default]
    On,
    Off,
}

impl Replies {
    /// Takes the answers.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Bytes that set the carried modes.
    pub(super) fn modes(&self) -> String {
        let set = self.set.iter().map(|mode| format!("\x1b[?{mode}h"));
        let wrap = (self.no_wrap == Wrap::Off).then(|| "\x1b[?7l".to_owned());
        set.chain(wrap).collect()
    }

    fn answer(&mut self, text: &str) {
        if self.held.len() + text.len() <= MAX_HELD {
            self.held.extend_from_slice(text.as_bytes());
        }
    }

    fn private_mode(&mut self, mode: u16, action: char) {
        match (mode, action) {
            (7, 'l') => self.no_wrap = Wrap::Off,
            (7, _) => self.no_wrap = Wrap::On,
            (mode, 'h') if CARRIED.contains(&mode) => drop(self.set.insert(mode)),
            (mode, _) => drop(self.set.remove(&mode)),
        }
    }
}

impl vt100::Callbacks for Replies {
    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        i1: Option<u8>,
        i2: Option<u8>,
        params: &[&[u16]],
        c: char,
    ) {
        let first = params.first().and_then(|p| p.first()).copied().unwrap_or(0);
        match (i1, i2, c) {
            (None, None, 'n') if first == 5 => self.answer("\x1b[0n"),
            (None, None, 'n') if first == 6 => {
                let (row, col) = screen.cursor_position();
                let col = col.min(screen.size().1.get() - 1);
                self.answer(&format!("\x1b[{};{}R", row + 1, col + 1));
            }
            // A VT220 with colours; then "a VT100-like program, version 1" to the second question.
            (None, None, 'c') if first == 0 => self.answer("\x1b[?62;22c"),
            (Some(b'>'), None, 'c') if first == 0 => self.answer("\x1b[>0;1;0c"),
            (Some(b'?'), None, 'h' | 'l') => {
                for mode in params.iter().filter_map(|p| p.first()) {
                    self.private_mode(*mode, c);
                }
            }
            // DECRQM: "I do not know this mode".
            (Some(b'?'), Some(b'$'), 'p') => self.answer(&format!("\x1b[?{first};0$y")),
            _ => {}
        }
    }
}

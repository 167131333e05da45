//! Bytes of a stream become messages: one per line, a long line in pieces.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which stream a text came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line, or a piece of a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Where it came from.
    pub stream: Stream,
    /// When it was read from the container.
    pub time: Timestamp,
    /// The text without its line end.
    pub text: &'a [u8],
    /// Whether a line end followed.
    pub end: LineEnd,
    /// Which piece of a long line it is.
    pub piece: Option<Piece>,
}

/// What followed a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// A line end.
    Newline,
    /// More of the same line, or the end of the stream.
    Nothing,
}

/// A piece of a long line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The same for all pieces of a line.
    pub line: u64,
    /// From 1.
    pub ordinal: u32,
    /// No other follows.
    pub is_last: bool,
}

/// A longer line is split, so that memory is bounded.
pub(super) const LINE_MAX: usize = 16 << 10;

/// What has been read of one stream and is not a whole line yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    pieces: u32,
    line: u64,
}

impl Lines {
    /// Takes bytes; every message that is whole by now is given to `each`.
    pub(super) fn take(
        &mut self,
        stream: Stream,
        time: Timestamp,
        mut bytes: &[u8],
        each: &mut impl FnMut(&Message<'_>),
    ) {
        while !bytes.is_empty() {
            let room = LINE_MAX - self.partial.len();
            let window = &bytes[..bytes.len().min(room + 1)];
            if let Some(at) = memchr::memchr(b'\n', window) {
                let (text, rest) = (&bytes[..at], &bytes[at + 1..]);
                bytes = rest;
                if self.partial.is_empty() {
                    self.tell(stream, time, text, LineEnd::Newline, each);
                } else {
                    let mut whole = std::mem::take(&mut self.partial);
                    whole.extend_from_slice(text);
                    self.tell(stream, time, &whole, LineEnd::Newline, each);
                    whole.clear();
                    self.partial = whole;
                }
            } else if bytes.len() > room {
                // Too long for one message: the piece ends where a character does.
                let mut piece = std::mem::take(&mut self.partial);
                piece.extend_from_slice(&bytes[..room]);
                bytes = &bytes[room..];
                let cut = whole_characters(&piece, bytes[0]);
                let rest = piece.split_off(cut);
                self.tell(stream, time, &piece, LineEnd::Nothing, each);
                self.partial = rest;
            } else {
                self.partial.extend_from_slice(bytes);
                return;
            }
        }
    }

    /// The stream has ended: what is left is a message too.
    pub(super) fn finish(
        &mut self,
        stream: Stream,
        time: Timestamp,
        each: &mut impl FnMut(&Message<'_>),
    ) {
        let rest = std::mem::take(&mut self.partial);
        if !rest.is_empty() {
            // Nothing follows, so a line in pieces ends here.
            let piece = self.next_piece(true);
            each(&Message {
                stream,
                time,
                text: &rest,
                end: LineEnd::Nothing,
                piece,
            });
        }
    }

    fn tell(
        &mut self,
        stream: Stream,
        time: Timestamp,
        text: &[u8],
        end: LineEnd,
        each: &mut impl FnMut(&Message<'_>),
    ) {
        let piece = match end {
            LineEnd::Newline => self.next_piece(true),
            LineEnd::Nothing => {
                self.pieces = self.pieces.max(1);
                Some(self.piece(false))
            }
        };
        each(&Message {
            stream,
            time,
            text,
            end,
            piece,
        });
        match end {
            LineEnd::Newline => self.pieces = 0,
            LineEnd::Nothing => self.pieces += 1,
        }
    }

    /// The piece that is told next, if its line has been cut.
    fn next_piece(&self, is_last: bool) -> Option<Piece> {
        (self.pieces > 0).then(|| self.piece(is_last))
    }

    fn piece(&self, is_last: bool) -> Piece {
        Piece {
            line: self.line,
            ordinal: self.pieces,
            is_last,
        }
    }
}

/// The longest prefix that does not cut a UTF-8 character, where `next` follows.
fn whole_characters(bytes: &[u8], next: u8) -> usize {
    if next & 0xc0 != 0x80 {
        return bytes.len();
    }
    let is_start = |&at: &usize| bytes[at] & 0xc0 != 0x80;
    (bytes.len().saturating_sub(3)..bytes.len())
        .rev()
        .find(is_start)
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(chunks: &[&[u8]]) -> Vec<(String, LineEnd, Option<u32>)> {
        let (mut lines, mut all) = (Lines::default(), Vec::new());
        let mut keep = |message: &Message<'_>| {
            let text = String::from_utf8(message.text.to_vec()).unwrap();
            all.push((text, message.end, message.piece.map(|piece| piece.ordinal)));
        };
        for chunk in chunks {
            lines.take(Stream::Stdout, Timestamp::UNIX_EPOCH, chunk, &mut keep);
        }
        lines.finish(Stream::Stdout, Timestamp::UNIX_EPOCH, &mut keep);
        all
    }

    #[test]
    fn a_line_is_told_when_it_is_whole() {
        let texts = told(&[b"a\nb", b"c\n\nend"]);
        let expected = [
            ("a", LineEnd::Newline),
            ("bc", LineEnd::Newline),
            ("", LineEnd::Newline),
            ("end", LineEnd::Nothing),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(text, end)| ((*text).to_owned(), *end, None))
            .collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let text = "é".repeat(20_000) + "\n";
        for size in [1, 1000, 100_000] {
            let chunks: Vec<_> = text.as_bytes().chunks(size).collect();
            let pieces = told(&chunks);
            let whole: String = pieces.iter().map(|(text, ..)| text.as_str()).collect();
            assert_eq!(whole + "\n", text);
            assert!(pieces.iter().all(|(text, ..)| text.len() <= LINE_MAX));
            let ordinals: Vec<_> = pieces
                .iter()
                .map(|(.., ordinal)| ordinal.unwrap())
                .collect();
            assert_eq!(ordinals, [1, 2, 3]);
        }
    }

    #[test]
    fn a_line_that_just_fits_is_whole() {
        let text = [vec![b'x'; LINE_MAX], vec![b'\n']].concat();
        assert_eq!(told(&[&text]).len(), 1);
    }
}

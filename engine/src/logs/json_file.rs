//! The `json-file` driver: one JSON object per line, in files that are rotated.
//!
//! The writer is on the way of everything that containers print, so it does not go through a general encoder: the
//! parts that every line of a chunk shares are made once, and texts are copied in runs.

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;

use super::message::{LineEnd, Message, Stream};
use super::rotate::Rotated;
use super::spec::FileSpec;

/// Entries are written together up to so many bytes.
const BATCH: usize = 256 << 10;

/// An open log.
#[derive(Debug)]
pub(super) struct JsonFile {
    file: Rotated,
    out: Vec<u8>,
    /// `,"attrs":{…}`, or nothing.
    attributes: Vec<u8>,
    /// The end of an entry of the last stream and time.
    tail: Vec<u8>,
    tail_of: Option<(Stream, Timestamp)>,
}

impl JsonFile {
    /// Opens the log, going on where it ended.
    pub(super) fn open(spec: &FileSpec, attributes: &BTreeMap<String, String>) -> io::Result<Self> {
        let attributes = if attributes.is_empty() {
            Vec::new()
        } else {
            let mut part = b",\"attrs\":".to_vec();
            serde_json::to_writer(&mut part, attributes)?;
            part
        };
        Ok(Self {
            file: Rotated::open(spec)?,
            out: Vec::new(),
            attributes,
            tail: Vec::new(),
            tail_of: None,
        })
    }

    /// Takes a message; it is on disk after `flush`.
    pub(super) fn write(&mut self, message: &Message<'_>) -> io::Result<()> {
        if self.tail_of != Some((message.stream, message.time)) {
            self.make_tail(message);
        }
        self.out.extend_from_slice(b"{\"log\":\"");
        escape(&mut self.out, message.text);
        if message.end == LineEnd::Newline {
            self.out.extend_from_slice(b"\\n");
        }
        self.out.extend_from_slice(&self.tail);
        let full = self
            .file
            .room()
            .is_some_and(|room| self.out.len() as u64 >= room);
        if full || self.out.len() >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    /// Puts on disk what was taken.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let written = self.file.append(&self.out);
        self.out.clear();
        // One long burst must not keep its memory for ever.
        self.out.shrink_to(64 << 10);
        written
    }

    fn make_tail(&mut self, message: &Message<'_>) {
        let stream: &[u8] = match message.stream {
            Stream::Stdout => b"\",\"stream\":\"stdout\"",
            Stream::Stderr => b"\",\"stream\":\"stderr\"",
        };
        self.tail.clear();
        self.tail.extend_from_slice(stream);
        self.tail.extend_from_slice(&self.attributes);
        self.tail.extend_from_slice(b",\"time\":\"");
        self.tail
            .extend_from_slice(message.time.to_string().as_bytes());
        self.tail.extend_from_slice(b"\"}\n");
        self.tail_of = Some((message.stream, message.time));
    }
}

/// Appends a text as the inside of a JSON string; bytes that are not UTF-8 become U+FFFD.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    match std::str::from_utf8(text) {
        Ok(_) => escape_utf8(out, text),
        Err(_) => escape_utf8(out, String::from_utf8_lossy(text).as_bytes()),
    }
}

fn escape_utf8(out: &mut Vec<u8>, mut text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    while let Some(at) = first_special(text) {
        let byte = text[at];
        out.extend_from_slice(&text[..at]);
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

/// The first byte that is not copied as it is. Most texts have none for long: blocks are looked at as a whole, which the
/// processor does with one comparison for many bytes.
fn first_special(text: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    let is_plain = |block: &&[u8]| {
        block.iter().fold(true, |plain, &byte| {
            plain
                & (byte >= 0x20)
                & (byte != b'"')
                & (byte != b'\\')
                & (byte != b'<')
                & (byte != b'>')
                & (byte != b'&')
        })
    };
    let skipped = BLOCK * text.chunks_exact(BLOCK).take_while(is_plain).count();
    let rest = &text[skipped..];
    let at = rest.iter().position(|&byte| SPECIAL[usize::from(byte)])?;
    Some(skipped + at)
}

/// Bytes that JSON wants escaped, and those that Docker's writer escapes for HTML.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    let mut rest: &[u8] = b"\"\\<>&";
    while let Some((&byte, others)) = rest.split_first() {
        table[byte as usize] = true;
        rest = others;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_wherever_they_stand() {
        for byte in 0..=255 {
            for place in [0, 1, 31, 32, 33, 63, 70] {
                let mut text = [b'x'; 71];
                text[place] = byte;
                let expected = SPECIAL[usize::from(byte)].then_some(place);
                assert_eq!(first_special(&text), expected, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn texts_survive_the_way_through_json() {
        for text in ["", "plain", "é\u{1F600}", "a\"b\\c\td\r\u{1}<&>\u{2028}"] {
            let mut out = b"\"".to_vec();
            escape(&mut out, text.as_bytes());
            out.push(b'"');
            let back: String = serde_json::from_slice(&out).unwrap();
            assert_eq!(back, text);
        }
        let mut out = Vec::new();
        escape(&mut out, b"a\xffb\0");
        assert_eq!(out, "a\u{fffd}b\\u0000".as_bytes());
    }
}

//! The `local` driver: frames in files that are rotated and compressed; smaller and cheaper than JSON.
//!
//! A frame is `u32 length | body | u32 length`, both big endian and the length that of the body, so that a file can
//! be read from either end. A body is `u8 flags | i64 time | text`: nanoseconds since 1970, big endian; bit 0 of the
//! flags is standard error, bit 1 a line end that follows the text, bit 2 a piece of a longer line.

use std::io::{self, Read};

use jiff::Timestamp;

use super::message::{LINE_MAX, LineEnd, Message, Stream};
use super::rotate::Rotated;
use super::spec::FileSpec;

const STDERR: u8 = 1;
const NEWLINE: u8 = 2;
const PIECE: u8 = 4;
/// Flags and time.
const HEAD: usize = 9;
/// Frames are written together up to so many bytes.
const BATCH: usize = 256 << 10;

/// An open log.
#[derive(Debug)]
pub(super) struct Local {
    file: Rotated,
    out: Vec<u8>,
}

impl Local {
    /// Opens the log, going on where it ended.
    pub(super) fn open(spec: &FileSpec) -> io::Result<Self> {
        Ok(Self {
            file: Rotated::open(spec)?,
            out: Vec::new(),
        })
    }

    /// Takes a message; it is on disk after `flush`.
    pub(super) fn write(&mut self, message: &Message<'_>) -> io::Result<()> {
        encode(&mut self.out, message);
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
        self.out.shrink_to(64 << 10);
        written
    }
}

fn encode(out: &mut Vec<u8>, message: &Message<'_>) {
    let length = u32::try_from(HEAD + message.text.len()).expect("messages are small");
    let mut flags = 0;
    if message.stream == Stream::Stderr {
        flags |= STDERR;
    }
    if message.end == LineEnd::Newline {
        flags |= NEWLINE;
    }
    if message.piece.is_some() {
        flags |= PIECE;
    }
    let time = i64::try_from(message.time.as_nanosecond()).unwrap_or(i64::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(flags);
    out.extend_from_slice(&time.to_be_bytes());
    out.extend_from_slice(message.text);
    out.extend_from_slice(&length.to_be_bytes());
}

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it came from.
    pub stream: Stream,
    /// When it was printed.
    pub time: Timestamp,
    /// The text, with its line end.
    pub text: Vec<u8>,
}

/// The whole frame that begins at `at`, which moves behind it; a damaged one is an error.
pub fn decode_at(buffer: &[u8], at: &mut usize) -> io::Result<Option<Entry>> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a damaged frame");
    let buffer = buffer.get(*at..).unwrap_or_default();
    let Some(head) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*head) as usize;
    if !(HEAD..=HEAD + LINE_MAX).contains(&length) {
        return Err(damaged());
    }
    let Some(frame) = buffer.get(..length + 8) else {
        return Ok(None);
    };
    if frame[4 + length..] != *head {
        return Err(damaged());
    }
    let time = frame[5..13].try_into().map(i64::from_be_bytes);
    let time = time.map_err(|_| damaged())?;
    let mut text = frame[4 + HEAD..4 + length].to_vec();
    let flags = frame[4];
    if flags & NEWLINE != 0 {
        text.push(b'\n');
    }
    let entry = Entry {
        stream: if flags & STDERR == 0 {
            Stream::Stdout
        } else {
            Stream::Stderr
        },
        time: Timestamp::from_nanosecond(time.into()).map_err(|_| damaged())?,
        text,
    };
    *at += length + 8;
    Ok(Some(entry))
}

/// Reads more into `buffer`; whether there was any.
pub fn read_more(from: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let before = buffer.len();
    from.take(64 << 10).read_to_end(buffer)?;
    Ok(buffer.len() > before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_in_any_pieces() {
        let message = |text, stream, end| Message {
            stream,
            time: Timestamp::new(5, 6).unwrap(),
            text,
            end,
            piece: None,
        };
        let mut wire = Vec::new();
        encode(
            &mut wire,
            &message(b"one", Stream::Stdout, LineEnd::Newline),
        );
        encode(&mut wire, &message(b"", Stream::Stderr, LineEnd::Nothing));
        let (mut buffer, mut at, mut texts) = (Vec::new(), 0, Vec::new());
        for byte in wire {
            buffer.push(byte);
            if let Some(entry) = decode_at(&buffer, &mut at).unwrap() {
                assert_eq!(entry.time, Timestamp::new(5, 6).unwrap());
                texts.push((entry.text, entry.stream));
            }
        }
        assert_eq!(
            texts,
            [
                (b"one\n".to_vec(), Stream::Stdout),
                (vec![], Stream::Stderr)
            ]
        );
        assert!(decode_at(&[0xff; 20], &mut 0).is_err());
    }
}

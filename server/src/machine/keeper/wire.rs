//! The frames between a keeper and whoever shows one of its terminals.
//!
//! On the keeper's socket a frame is `u32 length (big endian) | u8 type | payload`, where the
//! length counts the type and the payload. A websocket message is the same frame without its
//! length. Output bytes of a terminal are numbered one by one, and never twice: *acknowledged up
//! to 41* and *resume after 41* mean the same thing to both sides.

use std::collections::VecDeque;

/// The largest frame a client may send, length field excluded.
pub(crate) const MAX_FROM_CLIENT: usize = 64 * 1024;
/// The largest frame a keeper may send, length field excluded: a screen with its scrollback.
pub(crate) const MAX_FROM_KEEPER: usize = 4 * 1024 * 1024;

/// What the shower of a terminal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FromClient {
    /// Bytes typed or pasted.
    Input(Vec<u8>),
    /// The number of the last output byte that was drawn.
    Ack(u64),
    /// The window's new size.
    Resize {
        /// Width in cells.
        cols: u16,
        /// Height in cells.
        rows: u16,
    },
    /// Ends the shell and forgets the terminal.
    Close,
}

/// What the keeper says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FromKeeper {
    /// Output bytes; `seq` is the number of the first.
    Output { seq: u64, bytes: Vec<u8> },
    /// Everything again: `bytes` draw the terminal as it was after output byte number `seq`.
    Screen {
        seq: u64,
        cols: u16,
        rows: u16,
        bytes: Vec<u8>,
    },
    /// One JSON object about the shell or the machine.
    Notice(String),
}

/// A frame that no honest peer sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// The frame says to be longer than its direction allows.
    #[error("frame of {len} bytes; at most {max} are allowed")]
    Oversized {
        /// What the frame announced.
        len: usize,
        /// The limit of its direction.
        max: usize,
    },
    /// A frame without even a type.
    #[error("empty frame")]
    Empty,
    /// A type that this direction does not have.
    #[error("unknown frame type {0}")]
    UnknownType(u8),
    /// A payload that is too short or too long for its type.
    #[error("frame of type {kind} with a payload of {len} bytes")]
    BadPayload {
        /// The frame's type.
        kind: u8,
        /// Its payload's length.
        len: usize,
    },
    /// A notice that is not UTF-8.
    #[error("notice is not UTF-8")]
    NotUtf8,
}

impl FromClient {
    /// The frame without its length, as a websocket message carries it.
    pub(crate) fn message(&self) -> Vec<u8> {
        match self {
            Self::Input(bytes) => [&[0], bytes.as_slice()].concat(),
            Self::Ack(seq) => [&[1], seq.to_be_bytes().as_slice()].concat(),
            Self::Resize { cols, rows } => [&[2], words(*cols, *rows).as_slice()].concat(),
            Self::Close => vec![3],
        }
    }

    /// Reads a frame without its length.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, WireError> {
        let (kind, payload) = split(message, MAX_FROM_CLIENT)?;
        let bad = WireError::BadPayload {
            kind,
            len: payload.len(),
        };
        match kind {
            0 => Ok(Self::Input(payload.to_vec())),
            1 => Ok(Self::Ack(u64::from_be_bytes(
                payload.try_into().map_err(|_| bad)?,
            ))),
            2 => {
                let [a, b, c, d] = payload.try_into().map_err(|_| bad)?;
                Ok(Self::Resize {
                    cols: u16::from_be_bytes([a, b]),
                    rows: u16::from_be_bytes([c, d]),
                })
            }
            3 if payload.is_empty() => Ok(Self::Close),
            3 => Err(bad),
            other => Err(WireError::UnknownType(other)),
        }
    }
}

impl FromKeeper {
    /// The frame without its length, as a websocket message carries it.
    pub(crate) fn message(&self) -> Vec<u8> {
        match self {
            Self::Output { seq, bytes } => {
                [&[0], seq.to_be_bytes().as_slice(), bytes.as_slice()].concat()
            }
            Self::Screen {
                seq,
                cols,
                rows,
                bytes,
            } => [
                &[1],
                seq.to_be_bytes().as_slice(),
                words(*cols, *rows).as_slice(),
                bytes.as_slice(),
            ]
            .concat(),
            Self::Notice(json) => [&[2], json.as_bytes()].concat(),
        }
    }

    /// Reads a frame without its length.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, WireError> {
        let (kind, payload) = split(message, MAX_FROM_KEEPER)?;
        let bad = WireError::BadPayload {
            kind,
            len: payload.len(),
        };
        match kind {
            0 => {
                let (seq, bytes) = payload.split_first_chunk().ok_or(bad)?;
                Ok(Self::Output {
                    seq: u64::from_be_bytes(*seq),
                    bytes: bytes.to_vec(),
                })
            }
            1 => {
                let (seq, rest) = payload.split_first_chunk().ok_or(bad.clone())?;
                let ([a, b, c, d], bytes) = rest.split_first_chunk().ok_or(bad)?;
                Ok(Self::Screen {
                    seq: u64::from_be_bytes(*seq),
                    cols: u16::from_be_bytes([*a, *b]),
                    rows: u16::from_be_bytes([*c, *d]),
                    bytes: bytes.to_vec(),
                })
            }
            2 => String::from_utf8(payload.to_vec())
                .map(Self::Notice)
                .map_err(|_| WireError::NotUtf8),
            other => Err(WireError::UnknownType(other)),
        }
    }
}

/// Puts the length before a message, as the keeper's socket wants it.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("messages are built far below 4 GiB");
    [len.to_be_bytes().as_slice(), message].concat()
}

/// Cuts a byte stream into messages, holding at most one unfinished frame.
#[derive(Debug)]
pub(crate) struct Deframer {
    max: usize,
    held: VecDeque<u8>,
}

impl Deframer {
    /// A cutter that refuses frames longer than `max`.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            held: VecDeque::new(),
        }
    }

    /// Takes bytes as they were read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.held.extend(bytes);
    }

    /// The next whole message, without its length. After an error the stream is lost.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, WireError> {
        if self.held.len() < 4 {
            return Ok(None);
        }
        let length: [u8; 4] = std::array::from_fn(|i| self.held[i]);
        let len = u32::from_be_bytes(length) as usize;
        if len > self.max {
            return Err(WireError::Oversized { len, max: self.max });
        }
        if len == 0 {
            return Err(WireError::Empty);
        }
        if self.held.len() < 4 + len {
            return Ok(None);
        }
        self.held.drain(..4);
        Ok(Some(self.held.drain(..len).collect()))
    }
}

fn split(message: &[u8], max: usize) -> Result<(u8, &[u8]), WireError> {
    if message.len() > max {
        return Err(WireError::Oversized {
            len: message.len(),
            max,
        });
    }
    let (kind, payload) = message.split_first().ok_or(WireError::Empty)?;
    Ok((*kind, payload))
}

fn words(a: u16, b: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (a.to_be_bytes(), b.to_be_bytes());
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_frames() -> Vec<FromClient> {
        let sizes = [0, 1, 2, 255, 256, 4096, MAX_FROM_CLIENT - 1];
        let inputs = sizes.map(|n| FromClient::Input((0..n).map(|i| i as u8).collect()));
        let acks = [0, 1, u64::MAX].map(FromClient::Ack);
        let resizes = [(0, 0), (80, 24), (u16::MAX, u16::MAX)]
            .map(|(cols, rows)| FromClient::Resize { cols, rows });
        inputs
            .into_iter()
            .chain(acks)
            .chain(resizes)
            .chain([FromClient::Close])
            .collect()
    }

    fn keeper_frames() -> Vec<FromKeeper> {
        vec![
            FromKeeper::Output {
                seq: u64::MAX,
                bytes: b"\x1b[31mrouge".to_vec(),
            },
            FromKeeper::Screen {
                seq: 7,
                cols: 500,
                rows: 200,
                bytes: vec![0xff; 70_000],
            },
            FromKeeper::Notice(r#"{"shell":"ended"}"#.into()),
        ]
    }

    #[test]
    fn every_frame_survives_the_wire() {
        for frame in client_frames() {
            assert_eq!(FromClient::parse(&frame.message()), Ok(frame));
        }
        for frame in keeper_frames() {
            assert_eq!(FromKeeper::parse(&frame.message()), Ok(frame));
        }
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        let sent: Vec<_> = client_frames();
        let stream: Vec<u8> = sent.iter().flat_map(|f| frame(&f.message())).collect();
        for step in [1, 3, 7, 4095, stream.len()] {
            let mut cutter = Deframer::new(MAX_FROM_CLIENT);
            let mut got = Vec::new();
            for piece in stream.chunks(step) {
                cutter.push(piece);
                while let Some(message) = cutter.next().unwrap() {
                    got.push(FromClient::parse(&message).unwrap());
                }
            }
            assert_eq!(got, sent, "cut every {step} bytes");
        }
    }

    #[track_caller]
    fn refused(stream: &[u8], expected: WireError) {
        let mut cutter = Deframer::new(MAX_FROM_CLIENT);
        cutter.push(stream);
        let got = match cutter.next() {
            Ok(Some(message)) => FromClient::parse(&message).unwrap_err(),
            Ok(None) => panic!("still waiting"),
            Err(error) => error,
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn dishonest_frames_are_refused_before_they_are_held() {
        refused(
            &u32::MAX.to_be_bytes(),
            WireError::Oversized {
                len: u32::MAX as usize,
                max: MAX_FROM_CLIENT,
            },
        );
        refused(&[0, 0, 0, 0], WireError::Empty);
        refused(&[0, 0, 0, 1, 9], WireError::UnknownType(9));
        refused(
            &[0, 0, 0, 3, 1, 0, 0],
            WireError::BadPayload { kind: 1, len: 2 },
        );
        refused(
            &[0, 0, 0, 6, 2, 0, 80, 0, 24, 0],
            WireError::BadPayload { kind: 2, len: 5 },
        );
    }

    #[test]
    fn no_bytes_make_the_parsers_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..20_000 {
            let len = (random() % 40) as usize;
            let bytes: Vec<u8> = (0..len).map(|_| (random() >> 24) as u8).collect();
            let (_, _) = (FromClient::parse(&bytes), FromKeeper::parse(&bytes));
            let mut cutter = Deframer::new(32);
            cutter.push(&bytes);
            while let Ok(Some(message)) = cutter.next() {
                assert!((1..=32).contains(&message.len()));
            }
        }
    }
}

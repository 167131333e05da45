//! The first line of a connection: what it came for.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::screen::Size;

/// The longest first line: a whole exercise travels in it.
const MAX_LINE: usize = 1024 * 1024;
/// How long a connection may stay silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that has not said what it came for.
pub(super) struct Visitor {
    stream: UnixStream,
    line: Vec<u8>,
    until: Instant,
}

/// What a first line asks for.
pub(super) enum Opening {
    /// A terminal, here.
    Terminal(OpenTerminal),
    /// Something that the rest of the keeper serves.
    Other(Value),
}

/// The line that opens a terminal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenTerminal {
    #[serde(rename = "open")]
    _open: String,
    pub(super) name: String,
    cols: u16,
    rows: u16,
    #[serde(default)]
    pub(super) resume: Option<u64>,
}

/// Why a visitor is sent away.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpeningError {
    /// It closed before its line ended.
    #[error("the connection closed before its first line ended")]
    Closed,
    /// It never stopped.
    #[error("the first line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// It never spoke.
    #[error("no first line within {} seconds", PATIENCE.as_secs())]
    Silent,
    /// It is not the JSON we expect.
    #[error("the first line is not understood")]
    Json(#[from] serde_json::Error),
    /// A terminal's name is not one.
    #[error("{0:?} is not the name of a terminal: 1 to 32 letters, digits, '-' or '_'")]
    BadName(String),
}

impl OpenTerminal {
    pub(super) fn size(&self) -> Size {
        Size::clamped(self.cols, self.rows)
    }
}

impl Visitor {
    pub(super) fn new(stream: UnixStream, now: Instant) -> Self {
        Self {
            stream,
            line: Vec::new(),
            until: now + PATIENCE,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// When it will have been silent for too long.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Reads; the opening when the line is whole.
    pub(super) fn read(
        &mut self,
        now: Instant,
    ) -> Result<Option<(Opening, Vec<u8>)>, OpeningError> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(OpeningError::Closed),
            Ok(n) => self.line.extend_from_slice(&buffer[..n]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Err(OpeningError::Closed),
        }
        if let Some(end) = self.line.iter().position(|b| *b == b'\n') {
            let early = self.line.split_off(end + 1);
            return Ok(Some((parse(&self.line)?, early)));
        }
        if self.line.len() > MAX_LINE {
            return Err(OpeningError::TooLong);
        }
        if now >= self.until {
            return Err(OpeningError::Silent);
        }
        Ok(None)
    }

    pub(super) fn into_stream(self) -> UnixStream {
        self.stream
    }
}

fn parse(line: &[u8]) -> Result<Opening, OpeningError> {
    let value: Value = serde_json::from_slice(line)?;
    if value["open"] != "terminal" {
        return Ok(Opening::Other(value));
    }
    let open: OpenTerminal = serde_json::from_value(value)?;
    if !is_terminal_name(&open.name) {
        return Err(OpeningError::BadName(open.name));
    }
    Ok(Opening::Terminal(open))
}

/// Whether `name` may name a terminal; the web process asks too, before it connects.
pub(crate) fn is_terminal_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert!(is_terminal_name("1") && is_terminal_name("a-B_9"));
        for name in ["", "a/b", "..", "é", "a b", &"x".repeat(33)] {
            assert!(!is_terminal_name(name), "{name:?}");
        }
    }

    #[test]
    fn unknown_words_in_a_terminal_line_are_errors() {
        let line = br#"{"open":"terminal","name":"1","cols":80,"rows":24,"resum":7}"#;
        assert!(parse(line).is_err());
        let line = br#"{"open":"watch","exercise":{}}"#;
        assert!(matches!(parse(line), Ok(Opening::Other(_))));
    }
}

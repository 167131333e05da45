//! The `journald` driver: systemd's native journal protocol.
//!
//! A datagram holds one field per line, `NAME=value`; a value with a line end is `NAME\n`, its length as u64 (little
//! endian), the value and a line end. See systemd's documentation, "Native Journal Protocol".

use std::io;
use std::time::Duration;

use super::message::{Message, Stream};
use super::place::Place;
use super::spec::{Endpoint, JournaldSpec, Mode};
use super::wire::{Patience, Wire};

/// An open way to the journal.
#[derive(Debug)]
pub(super) struct Journald {
    /// The fields that every message has.
    head: Vec<u8>,
    pub(super) wire: Wire,
}

impl Journald {
    pub(super) fn open(spec: &JournaldSpec, place: Place, mode: Mode) -> io::Result<Self> {
        let patience = Patience {
            tries: 1,
            pause: Duration::from_millis(100),
        };
        let endpoint = Endpoint::Unixgram(spec.socket.clone());
        let wire = Wire::open(&endpoint, place, mode, patience)
            .map_err(|_| io::Error::other("journald is not enabled on this host"))?;
        let mut head = Vec::new();
        for (name, value) in &spec.fields {
            field(&mut head, name, value.as_bytes());
        }
        Ok(Self { head, wire })
    }

    pub(super) fn write(&mut self, message: &Message<'_>) {
        self.wire.send(encode(&self.head, message));
    }
}

fn encode(head: &[u8], message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + message.text.len() + 64);
    field(&mut out, "MESSAGE", message.text);
    // Priorities are those of syslog.
    let priority = match message.stream {
        Stream::Stdout => "6",
        Stream::Stderr => "3",
    };
    field(&mut out, "PRIORITY", priority.as_bytes());
    let time = message.time.as_microsecond().to_string();
    field(
        &mut out,
        "SYSLOG_TIMESTAMP",
        message.time.to_string().as_bytes(),
    );
    field(&mut out, "_SOURCE_REALTIME_TIMESTAMP", time.as_bytes());
    if let Some(piece) = message.piece {
        if !piece.is_last {
            field(&mut out, "CONTAINER_PARTIAL_MESSAGE", b"true");
        }
        field(
            &mut out,
            "CONTAINER_PARTIAL_ID",
            piece.line.to_string().as_bytes(),
        );
        field(
            &mut out,
            "CONTAINER_PARTIAL_ORDINAL",
            piece.ordinal.to_string().as_bytes(),
        );
        field(
            &mut out,
            "CONTAINER_PARTIAL_LAST",
            piece.is_last.to_string().as_bytes(),
        );
    }
    out.extend_from_slice(head);
    out
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A label's or variable's name as a field: upper case, other signs replaced, no underscore in front.
pub fn field_name(name: &str) -> String {
    let sane = name.chars().map(|letter| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' => letter.to_ascii_uppercase(),
        _ => '_',
    });
    let sane: String = sane.collect();
    sane.trim_start_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_a_line_end_has_its_length() {
        let mut out = Vec::new();
        field(&mut out, "A", b"x");
        field(&mut out, "B", b"x\ny");
        assert_eq!(out, b"A=x\nB\n\x03\0\0\0\0\0\0\0x\ny\n");
    }

    #[test]
    fn names_become_fields() {
        assert_eq!(field_name("com.example/a-b"), "COM_EXAMPLE_A_B");
        assert_eq!(field_name("_hidden"), "HIDDEN");
    }
}

//! The `gelf` driver: GELF 1.1, in datagrams that are compressed and cut in chunks, or over a stream.

use std::io::{self, Write};
use std::time::Duration;

use super::message::{Message, Stream};
use super::place::Place;
use super::spec::{Compression, GelfSpec, Mode};
use super::wire::{Patience, Wire};

/// Bytes of one datagram.
const CHUNK: usize = 1420;
/// Magic, message id, number and count.
const CHUNK_HEAD: usize = 12;
/// More chunks than that no message may have.
const CHUNKS_MAX: usize = 128;

/// An open way to a collector.
#[derive(Debug)]
pub(super) struct Gelf {
    spec: GelfSpec,
    pub(super) wire: Wire,
}

impl Gelf {
    pub(super) fn open(spec: &GelfSpec, place: Place, mode: Mode) -> io::Result<Self> {
        let patience = Patience {
            tries: spec.max_reconnect,
            pause: Duration::from_secs(spec.reconnect_delay.into()),
        };
        Ok(Self {
            spec: spec.clone(),
            wire: Wire::open(&spec.endpoint, place, mode, patience)?,
        })
    }

    pub(super) fn write(&mut self, message: &Message<'_>) {
        // Empty lines are no messages: GELF demands a text.
        if message.text.is_empty() {
            return;
        }
        let document = document(&self.spec, message);
        if self.wire.is_stream() {
            let mut whole = document;
            whole.push(0);
            self.wire.send(whole);
            return;
        }
        let Ok(packed) = pack(&document, self.spec.compression, self.spec.level) else {
            return;
        };
        let id = getrandom::u64().unwrap_or_default().to_be_bytes();
        for datagram in chunks(packed, id) {
            self.wire.send(datagram);
        }
    }
}

fn document(spec: &GelfSpec, message: &Message<'_>) -> Vec<u8> {
    let level = match message.stream {
        Stream::Stdout => 6,
        Stream::Stderr => 3,
    };
    let mut fields = serde_json::Map::new();
    fields.insert("version".into(), "1.1".into());
    fields.insert("host".into(), spec.hostname.clone().into());
    let text = String::from_utf8_lossy(message.text);
    fields.insert("short_message".into(), text.into());
    let millis = message.time.as_millisecond();
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds fit in the mantissa for ages"
    )]
    fields.insert("timestamp".into(), (millis as f64 / 1000.0).into());
    fields.insert("level".into(), level.into());
    fields.extend(spec.extra.clone());
    serde_json::to_vec(&fields).expect("fields are plain data")
}

fn pack(document: &[u8], compression: Compression, level: i32) -> io::Result<Vec<u8>> {
    let level =
        u32::try_from(level).map_or(flate2::Compression::default(), flate2::Compression::new);
    match compression {
        Compression::None => Ok(document.to_vec()),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(document)?;
            encoder.finish()
        }
        Compression::Zlib => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(document)?;
            encoder.finish()
        }
    }
}

/// A message as datagrams; one that would need too many chunks is lost, as the format demands.
fn chunks(packed: Vec<u8>, id: [u8; 8]) -> Vec<Vec<u8>> {
    if packed.len() <= CHUNK {
        return vec![packed];
    }
    let pieces: Vec<_> = packed.chunks(CHUNK - CHUNK_HEAD).collect();
    let count = pieces.len();
    if count > CHUNKS_MAX {
        return Vec::new();
    }
    let number = |number: usize| u8::try_from(number).expect("at most 128 chunks");
    let datagram = |(index, piece): (usize, &&[u8])| {
        let head = [0x1e, 0x0f];
        let place = [number(index), number(count)];
        [&head, &id[..], &place, piece].concat()
    };
    pieces.iter().enumerate().map(datagram).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_message_is_cut_in_numbered_chunks() {
        let packed: Vec<u8> = (0..4000_u32).map(|n| n.to_be_bytes()[3]).collect();
        let datagrams = chunks(packed.clone(), [9; 8]);
        assert_eq!(datagrams.len(), 3);
        for (index, datagram) in datagrams.iter().enumerate() {
            assert!(datagram.len() <= CHUNK);
            assert_eq!(datagram[..10], [0x1e, 0x0f, 9, 9, 9, 9, 9, 9, 9, 9]);
            assert_eq!(usize::from(datagram[10]), index);
            assert_eq!(datagram[11], 3);
        }
        let whole: Vec<u8> = datagrams
            .iter()
            .flat_map(|d| d[CHUNK_HEAD..].to_vec())
            .collect();
        assert_eq!(whole, packed);
        assert_eq!(chunks(vec![1; 10], [0; 8]), [vec![1; 10]]);
        assert!(chunks(vec![1; CHUNK * 200], [0; 8]).is_empty());
    }
}

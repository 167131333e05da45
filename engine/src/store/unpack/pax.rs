//! PAX headers as pax(1) describes them: `LENGTH KEY=VALUE\n`, where a value may hold anything.
//!
//! The `tar` crate cuts them at line feeds, and so loses every value that holds one: half of all sets of file
//! capabilities could. What precedes an entry is therefore kept aside while it passes, and read here. It also has a
//! limit, which the crate does not know.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

/// What precedes one entry is never longer.
const LIMIT: usize = 16 << 20;
/// Archives consist of blocks.
const BLOCK: usize = 512;

/// Keeps a copy of what passes between the contents of entries.
pub(super) struct Tap<R> {
    inner: R,
    kept: Kept,
}

/// What has passed since the last content.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    content: bool,
    bytes: Vec<u8>,
}

impl<R: Read> Tap<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            kept: Kept::default(),
        }
    }

    /// The other end.
    pub(super) fn kept(&self) -> Kept {
        self.kept.clone()
    }
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut state = self.kept.0.borrow_mut();
        if !state.content {
            if state.bytes.len() + count > LIMIT {
                return Err(io::Error::other(format!(
                    "an entry has more than {LIMIT} bytes of headers"
                )));
            }
            state.bytes.extend_from_slice(&buffer[..count]);
        }
        Ok(count)
    }
}

impl Kept {
    /// From here on content passes; gives the PAX records of the entry that begins.
    pub(super) fn entry_begins(&self) -> Records {
        let mut state = self.0.borrow_mut();
        state.content = true;
        Records::find(&std::mem::take(&mut state.bytes))
    }

    /// From here on headers pass.
    pub(super) fn entry_ends(&self) {
        self.0.borrow_mut().content = false;
    }
}

/// The records of one entry, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records(Vec<(Vec<u8>, Vec<u8>)>);

impl Records {
    /// Finds the last extended header in the blocks before an entry's own.
    fn find(bytes: &[u8]) -> Self {
        // The last block is the entry's own header; padding of the former content may stand at the front.
        let mut at = bytes.len() % BLOCK;
        let mut found = Self::default();
        while at + 2 * BLOCK <= bytes.len() {
            let block = &bytes[at..at + BLOCK];
            let mut header = tar::Header::new_old();
            header.as_mut_bytes().copy_from_slice(block);
            let is_header = header.cksum().is_ok_and(|told| told == checksum(block));
            let size = header
                .entry_size()
                .ok()
                .and_then(|size| usize::try_from(size).ok());
            let end = size
                .and_then(|size| size.checked_add(at + BLOCK))
                .filter(|end| *end <= bytes.len());
            match end.filter(|_| is_header) {
                Some(end) => {
                    if header.entry_type().is_pax_local_extensions() {
                        found = Self::parse(&bytes[at + BLOCK..end]);
                    }
                    at += BLOCK + (end - at - BLOCK).div_ceil(BLOCK) * BLOCK;
                }
                None => at += BLOCK,
            }
        }
        found
    }

    /// Reads `LENGTH KEY=VALUE\n` as long as the lengths are true.
    fn parse(mut bytes: &[u8]) -> Self {
        let mut records = Vec::new();
        while let Some((record, rest)) = first_record(bytes) {
            records.push(record);
            bytes = rest;
        }
        Self(records)
    }

    /// The last value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        let found = self
            .0
            .iter()
            .rev()
            .find(|(known, _)| known == key.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }

    /// The last value of a key, when it is text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.get(key)?).ok()
    }

    /// Extended attributes: name and value.
    pub(super) fn xattrs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix(b"SCHILY.xattr.")?;
            Some((name, value.as_slice()))
        })
    }
}

type Record = (Vec<u8>, Vec<u8>);

fn first_record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((
        (record[..equals].to_vec(), record[equals + 1..].to_vec()),
        rest,
    ))
}

/// The sum of a header's bytes, its own field counted as spaces.
fn checksum(block: &[u8]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_hold_line_feeds_and_nothing_hostile_is_believed() {
        let records = Records::parse(b"13 key=a\nb=c\n12 path=x/y\n");
        assert_eq!(records.get("key"), Some(&b"a\nb=c"[..]));
        assert_eq!(records.text("path"), Some("x/y"));
        for bad in [
            "",
            "5",
            "x a=b\n",
            "0 a=b\n",
            "99999999999999999999 a=b\n",
            "100 a=b\n",
            "6 a=bc",
            "3 \n",
            "5 ab\n",
        ] {
            assert_eq!(
                Records::parse(bad.as_bytes()),
                Records::default(),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn endless_headers_are_an_error() {
        let mut tap = Tap::new(io::repeat(b'x'));
        let kept = tap.kept();
        kept.entry_ends();
        let error = io::copy(&mut (&mut tap).take(1 << 30), &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("bytes of headers"), "{error}");
        kept.entry_begins();
        io::copy(&mut (&mut tap).take(LIMIT as u64 + 1), &mut io::sink()).unwrap();
    }
}

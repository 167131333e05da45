//! The last output bytes of a terminal, by number, for clients that come back.

use std::collections::VecDeque;

/// How much output is kept.
pub(crate) const CAPACITY: usize = 1024 * 1024;

/// Output bytes `first..=last` of one terminal; older ones are forgotten.
#[derive(Debug)]
pub(crate) struct Ring {
    capacity: usize,
    bytes: VecDeque<u8>,
    last: u64,
}

impl Ring {
    /// An empty ring whose first byte will have the number `origin + 1`.
    pub(crate) fn new(capacity: usize, origin: u64) -> Self {
        Self {
            capacity,
            bytes: VecDeque::new(),
            last: origin,
        }
    }

    /// The number of the newest byte.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Whether everything after byte number `seq` is still here.
    pub(crate) fn covers(&self, seq: u64) -> bool {
        seq <= self.last && self.last - seq <= self.bytes.len() as u64
    }

    /// Takes new output, forgetting the oldest.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.last += bytes.len() as u64;
        let kept = &bytes[bytes.len().saturating_sub(self.capacity)..];
        let excess = (self.bytes.len() + kept.len()).saturating_sub(self.capacity);
        self.bytes.drain(..excess);
        self.bytes.extend(kept);
    }

    /// At most `max` bytes that follow byte number `seq`; `None` if some are forgotten.
    pub(crate) fn after(&self, seq: u64, max: usize) -> Option<Vec<u8>> {
        if !self.covers(seq) {
            return None;
        }
        let wanted = usize::try_from(self.last - seq).ok()?;
        let start = self.bytes.len() - wanted;
        let end = start + wanted.min(max);
        Some(self.bytes.range(start..end).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_ring_covers_only_its_origin() {
        let ring = Ring::new(8, 100);
        assert!(ring.covers(100));
        assert!(!ring.covers(99) && !ring.covers(101));
        assert_eq!(ring.after(100, 10), Some(vec![]));
    }

    #[test]
    fn bytes_are_found_by_number_until_they_are_forgotten() {
        let mut ring = Ring::new(8, 100);
        ring.push(b"abcdef");
        assert_eq!(ring.after(100, 3), Some(b"abc".to_vec()));
        assert_eq!(ring.after(103, 9), Some(b"def".to_vec()));
        ring.push(b"ghij");
        assert_eq!(ring.last(), 110);
        assert_eq!(ring.after(100, 9), None);
        assert_eq!(ring.after(102, 99), Some(b"cdefghij".to_vec()));
    }

    #[test]
    fn output_larger_than_the_ring_keeps_its_end() {
        let mut ring = Ring::new(4, 0);
        ring.push(b"0123456789");
        assert_eq!(ring.after(6, 9), Some(b"6789".to_vec()));
        assert_eq!(ring.after(5, 9), None);
        assert_eq!(ring.bytes.len(), 4);
    }
}

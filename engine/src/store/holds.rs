//! What is being made: blobs and layers that no name refers to yet, and that must not be collected meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::oci::Digest;

/// Digests that a transfer under way needs, with how many transfers need each.
#[derive(Clone, Debug, Default)]
pub(super) struct Holds(Arc<Mutex<BTreeMap<Digest, usize>>>);

/// Keeps digests from being collected until it is dropped.
#[derive(Debug)]
pub struct Held {
    holds: Holds,
    digests: Vec<Digest>,
}

impl Holds {
    pub(super) fn hold(&self, digests: Vec<Digest>) -> Held {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for digest in &digests {
            *known.entry(digest.clone()).or_default() += 1;
        }
        Held {
            holds: self.clone(),
            digests,
        }
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains_key(digest)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut known = self.holds.0.lock().unwrap_or_else(PoisonError::into_inner);
        for digest in &self.digests {
            if let Some(count) = known.get_mut(digest) {
                *count -= 1;
                if *count == 0 {
                    known.remove(digest);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_holder_lets_go() {
        let (holds, a) = (Holds::default(), Digest::of(b"a"));
        let first = holds.hold(vec![a.clone()]);
        let second = holds.hold(vec![a.clone()]);
        drop(first);
        assert!(holds.has(&a));
        drop(second);
        assert!(!holds.has(&a));
    }
}

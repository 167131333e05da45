//! The keys that leave a container without ending it: Ctrl-p Ctrl-q unless the client names others.

/// Recognises the keys in what a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DetachKeys {
    keys: Vec<u8>,
    matched: usize,
}

/// Keys that no terminal sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid detach keys ({0}) provided")]
pub(crate) struct BadKeys(String);

/// What to do with a piece of input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// These bytes are for the container.
    Input(Vec<u8>),
    /// The client leaves.
    Detach,
}

impl DetachKeys {
    /// Reads `ctrl-p,ctrl-q`; nothing means these.
    pub(crate) fn parse(text: &str) -> Result<Self, BadKeys> {
        let text = if text.is_empty() {
            "ctrl-p,ctrl-q"
        } else {
            text
        };
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        let keys = keys.ok_or_else(|| BadKeys(text.to_owned()))?;
        Ok(Self { keys, matched: 0 })
    }

    /// Looks for the keys in `bytes`; the beginning of them is held back until it is settled.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Typed {
        let mut input = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if byte != self.keys[self.matched] {
                input.extend_from_slice(&self.keys[..self.matched]);
                self.matched = 0;
            }
            if byte == self.keys[self.matched] {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    return Typed::Detach;
                }
            } else {
                input.push(byte);
            }
        }
        Typed::Input(input)
    }
}

/// `a`, or `ctrl-` and a letter or one of `@ [ \ ] ^ _`.
fn key(text: &str) -> Option<u8> {
    if let [byte] = text.as_bytes() {
        return Some(*byte);
    }
    let [byte] = text.strip_prefix("ctrl-")?.as_bytes() else {
        return None;
    };
    match byte {
        b'a'..=b'z' => Some(byte - b'a' + 1),
        b'@' | b'['..=b'_' => Some(byte - b'@'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_recognised_across_pieces() {
        let mut keys = DetachKeys::parse("").unwrap();
        assert_eq!(keys.feed(b"a\x10"), Typed::Input(b"a".to_vec()));
        assert_eq!(keys.feed(b"b"), Typed::Input(b"\x10b".to_vec()));
        assert_eq!(keys.feed(b"\x10\x10"), Typed::Input(b"\x10".to_vec()));
        assert_eq!(keys.feed(b"\x11rest"), Typed::Detach);
    }

    #[test]
    fn other_keys_may_be_named() {
        let mut keys = DetachKeys::parse("ctrl-x,q").unwrap();
        assert_eq!(keys.feed(b"\x18q"), Typed::Detach);
        for bad in ["ctrl-", "ctrl-1", "alt-x", "a,,b"] {
            assert!(DetachKeys::parse(bad).is_err(), "{bad}");
        }
    }
}

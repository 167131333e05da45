//! The keys that leave a container without stopping it: Ctrl-p Ctrl-q unless told otherwise.

use super::error::CliError;

/// Recognises the key sequence in what is typed.
#[derive(Debug)]
pub(crate) struct DetachKeys {
    keys: Vec<u8>,
    matched: usize,
}

/// What a piece of input turned into.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Bytes for the container.
    Input(Vec<u8>),
    /// The bytes before the sequence, and then the sequence.
    Detach(Vec<u8>),
}

impl DetachKeys {
    /// Reads `ctrl-p,ctrl-q`.
    pub(crate) fn parse(text: &str) -> Result<Self, CliError> {
        let keys = text
            .split(',')
            .filter(|key| !key.is_empty())
            .map(key)
            .collect::<Option<_>>();
        let keys = keys.ok_or_else(|| {
            CliError::Said(format!(
                "invalid detach keys {text:?}: use a letter or ctrl-LETTER, separated by commas"
            ))
        })?;
        Ok(Self { keys, matched: 0 })
    }

    /// Looks for the sequence in `bytes`; a started sequence is held back until it is settled.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Typed {
        let mut input = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.keys.is_empty() {
                input.push(byte);
                continue;
            }
            if byte == self.keys[self.matched] {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    return Typed::Detach(input);
                }
                continue;
            }
            input.extend_from_slice(&self.keys[..self.matched]);
            self.matched = usize::from(byte == self.keys[0]);
            if self.matched == 0 {
                input.push(byte);
            }
        }
        Typed::Input(input)
    }
}

fn key(name: &str) -> Option<u8> {
    let code = match name.strip_prefix("ctrl-") {
        None => return (name.len() == 1).then(|| name.as_bytes()[0]),
        Some("@") => 0,
        Some("[") => 27,
        Some("\\") => 28,
        Some("]") => 29,
        Some("^") => 30,
        Some("_") => 31,
        Some(letter) if letter.len() == 1 && letter.as_bytes()[0].is_ascii_alphabetic() => {
            letter.as_bytes()[0].to_ascii_lowercase() - b'a' + 1
        }
        Some(_) => return None,
    };
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_found_across_pieces() {
        let mut keys = DetachKeys::parse("ctrl-p,ctrl-q").unwrap();
        assert_eq!(keys.feed(b"ls\x10"), Typed::Input(b"ls".to_vec()));
        assert_eq!(keys.feed(b"\x11x"), Typed::Detach(Vec::new()));
    }

    #[test]
    fn a_false_start_reaches_the_container() {
        let mut keys = DetachKeys::parse("ctrl-p,ctrl-q").unwrap();
        assert_eq!(keys.feed(b"a\x10b"), Typed::Input(b"a\x10b".to_vec()));
        assert_eq!(keys.feed(b"\x10\x10\x11"), Typed::Detach(b"\x10".to_vec()));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(DetachKeys::parse("ctrl-pp").is_err());
        assert!(DetachKeys::parse("meta-x").is_err());
    }
}

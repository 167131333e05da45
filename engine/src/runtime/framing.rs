//! How output travels on a connection of the Docker API.

use serde::{Deserialize, Serialize};

/// The form that output has on a connection of the Docker API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// As it is (terminals).
    Raw,
    /// Each piece behind eight bytes: stream (1 output, 2 error), three zeros, length (big endian).
    Multiplexed,
}

impl Framing {
    /// A terminal has only one stream.
    pub fn of(tty: bool) -> Self {
        if tty { Self::Raw } else { Self::Multiplexed }
    }

    /// One piece of output as the client reads it.
    pub fn frame(self, is_error: bool, bytes: &[u8]) -> Vec<u8> {
        let mut framed = self.head(is_error, bytes.len());
        framed.extend_from_slice(bytes);
        framed
    }

    /// What stands before so many bytes of output.
    pub fn head(self, is_error: bool, length: usize) -> Vec<u8> {
        if self == Self::Raw {
            return Vec::new();
        }
        let length = u32::try_from(length).expect("pieces are at most a megabyte");
        let [a, b, c, d] = length.to_be_bytes();
        vec![1 + u8::from(is_error), 0, 0, 0, a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_a_head_unless_raw() {
        let framed = Framing::Multiplexed.frame(true, b"hi");
        assert_eq!(framed, b"\x02\0\0\0\0\0\0\x02hi");
        assert_eq!(Framing::Raw.frame(true, b"hi"), b"hi");
    }
}

//! The name of a learner's machine for an exercise.

use std::fmt;

use labs::exercise::Exercise;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::session::LearnerId;

/// `m-` and 12 hexadecimal digits: always the same for the same learner and exercise.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct MachineId(String);

/// A text that is no machine's id: it could name any path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no machine id")]
pub(crate) struct NotAMachine(String);

impl TryFrom<String> for MachineId {
    type Error = NotAMachine;

    fn try_from(text: String) -> Result<Self, NotAMachine> {
        Self::parse(&text).ok_or(NotAMachine(text))
    }
}

impl From<MachineId> for String {
    fn from(id: MachineId) -> Self {
        id.0
    }
}

impl MachineId {
    /// The machine of a learner for an exercise, or for a part of one.
    pub(crate) fn of(learner: &LearnerId, exercise: &Exercise) -> Self {
        let digest = Sha256::digest(format!("{}/{}", learner.as_str(), exercise.whole_id()));
        let hex: String = digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        match exercise.machine.place {
            0 => Self(format!("m-{hex}")),
            place => Self(format!("m-{hex}")).at_place(place),
        }
    }

    /// The machine of the same learner and exercise at a place from 1 to 15: alike but for the last
    /// digit, so that whoever knows one knows the other.
    pub(crate) fn at_place(&self, place: u8) -> Self {
        let common = &self.0[..self.0.len() - 1];
        Self(format!("{common}{:x}", place & 0xf))
    }

    /// Reads an id that the helper or a folder names.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("m-")?;
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (hex.len() == 12 && hex.bytes().all(digit)).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_of_one_exercise_know_each_other() {
        let one = MachineId::parse("m-0123456789a1").unwrap();
        let two = one.at_place(2);
        assert_eq!(two.to_string(), "m-0123456789a2");
        assert_eq!(two.at_place(1), one);
    }

    #[test]
    fn only_our_own_form_is_read() {
        assert!(MachineId::parse("m-0123456789ab").is_some());
        for text in [
            "m-0123456789AB",
            "m-0123456789a",
            "x-0123456789ab",
            "m-../../../etc",
        ] {
            assert_eq!(MachineId::parse(text), None, "{text}");
        }
    }
}

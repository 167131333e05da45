//! The closed list of what the helper does: one JSON line each way.

use serde::{Deserialize, Serialize};

use crate::machine::cable::Cable;
use crate::machine::identity::MachineId;
use crate::machine::pool::MachineError;
use crate::machine::spec::{Limits, Network};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Verb {
    /// Starts a machine, from its disk if it has one; one that lives is left alone.
    Start(Start),
    /// Stops it, gives it a new disk and starts it.
    Reset(Start),
    /// Stops it; its disk stays.
    Stop {
        /// Which.
        id: MachineId,
    },
    /// Stops it and forgets it, its disk and its ids.
    Delete {
        /// Which.
        id: MachineId,
    },
    /// Names the machines.
    List,
}

/// Everything that must be known to start a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    /// Which machine.
    pub(crate) id: MachineId,
    /// The image of its root, such as `quai/machine:latest`.
    pub(crate) image: String,
    /// What it may use.
    #[serde(default)]
    pub(crate) limits: Limits,
    /// What it may reach.
    #[serde(default)]
    pub(crate) network: Network,
    /// Its end of the link to the exercise's other machine.
    #[serde(default)]
    pub(crate) cable: Option<Cable>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reply {
    /// Done.
    Ok(Done),
    /// Not done.
    Error(Failure),
}

/// What there is now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// The machines asked about: one, or all for `list`.
    pub(crate) machines: Vec<Listed>,
}

/// A machine as `list` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) id: MachineId,
    /// Whether it runs.
    pub(crate) state: Listing,
    /// First of its ids on the host.
    pub(crate) base: u32,
}

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Listing {
    /// It runs.
    Alive,
    /// It has a disk only.
    Stopped,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What failed.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: String,
    /// What to do.
    pub(crate) remedy: String,
}

impl From<Failure> for MachineError {
    fn from(failure: Failure) -> Self {
        Self {
            what: failure.what,
            why: failure.why,
            remedy: failure.remedy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_needs_only_a_name_and_an_image() {
        let line = r#"{"verb":"start","id":"m-0123456789ab","image":"quai/machine:latest"}"#;
        let Verb::Start(start) = serde_json::from_str(line).unwrap() else {
            panic!("not a start");
        };
        assert_eq!(start.limits, Limits::default());
        assert_eq!(start.network, Network::Closed);
    }

    #[test]
    fn an_unknown_verb_or_word_is_an_error() {
        for line in [
            r#"{"verb":"mount","id":"m-0123456789ab"}"#,
            r#"{"verb":"start","id":"m-0123456789ab","image":"x","privileged":true}"#,
            r#"{"verb":"stop","id":"../../etc"}"#,
        ] {
            assert!(serde_json::from_str::<Verb>(line).is_err(), "{line}");
        }
    }
}

//! What a check says: data only; `web` turns it into sentences.

use serde::{Deserialize, Serialize};

use crate::exercise::Value;

/// The verdict on one check or one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Verdict {
    /// It is so.
    Pass,
    /// It is not so yet: every reason that was found, the most telling first.
    Fail {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// The platform could not tell; never counts against the learner.
    Undetermined {
        /// What the platform could not do.
        doubt: Doubt,
    },
}

/// Why a check is not green.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Reason {
    /// A fact is not what the exercise expects.
    Fact(Mismatch),
    /// Nothing in the machine matches the selector of this name.
    Unbound {
        /// The name of the binding.
        name: String,
    },
    /// Another check or question comes first.
    Needs {
        /// Its id.
        check: String,
    },
    /// The state that must precede has not been seen yet.
    Baseline(Mismatch),
    /// The question has no answer yet.
    Unanswered,
    /// The answer is not the right one.
    Wrong {
        /// What the learner answered.
        given: String,
    },
}

/// A comparison that does not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mismatch {
    /// The fact's path as the author wrote it.
    pub fact: String,
    /// The operator, as in the exercise's vocabulary: `eq`, `contains`, `exists` …
    pub operator: String,
    /// The value expected, references resolved; nothing when the reference itself is absent.
    pub expected: Option<Value>,
    /// What was read; nothing when there is no such value.
    pub observed: Option<Value>,
    /// The kernel file or engine request the fact was read from.
    pub source: String,
    /// The author's French sentence, its braces filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<String>,
}

/// Why the platform cannot tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Doubt {
    /// A kernel file could not be read although its process lives.
    #[error("cannot read {what}: {why}")]
    Unreadable {
        /// The file.
        what: String,
        /// The error.
        why: String,
    },
    /// The engine's socket answers with an error or not in time.
    #[error("the engine does not answer: {why}")]
    Engine {
        /// The error.
        why: String,
    },
    /// The engine and the kernel say different things.
    #[error("the engine says {engine}, the kernel shows {kernel}")]
    Disagreement {
        /// What the engine claims.
        engine: String,
        /// What the kernel shows.
        kernel: String,
    },
}

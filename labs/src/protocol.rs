//! The lines between a watcher and whoever listens to it: JSON, one message per line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::exercise::{Exercise, Value};
use crate::verdict::Verdict;

/// The first line a watcher reads; other members of the line (`open`) are not its business.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// The exercise.
    pub exercise: Exercise,
    /// The learner's values of its variables.
    #[serde(default)]
    pub vars: BTreeMap<String, Value>,
    /// Checks that were already green: edges among them stay so.
    #[serde(default)]
    pub passed: Vec<String>,
    /// Answers given before, by question.
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
}

/// What is asked of a watcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// `{"verify":true}`: look at everything now and report it, changed or not.
    Verify(bool),
    /// `{"answer":{"id":…,"value":…}}`.
    Answer(Answer),
}

/// A learner's answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The question.
    pub id: String,
    /// The answer, as typed.
    pub value: String,
}

/// What a watcher says; only changes are said, unless it was asked to verify.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Report {
    /// A check's verdict.
    Check {
        /// Its id.
        check: String,
        /// The verdict.
        verdict: Verdict,
        /// The facts it was made from, by path.
        facts: BTreeMap<String, Option<Value>>,
    },
    /// A question's verdict.
    Question {
        /// Its id.
        question: String,
        /// The verdict.
        verdict: Verdict,
    },
    /// The whole: sent after the verdicts of a round in which something changed.
    Round {
        /// Whether everything is green at this moment.
        solved: bool,
        /// The first check or question, in dependency order, that is not green.
        headline: Option<String>,
    },
    /// Where programs of the machine can be reached, first at the opening and then when it changes.
    Ports {
        /// TCP ports, in ascending order.
        ports: Vec<u16>,
    },
}

//! The front matter of `tp.md`; `docs/exercises.md` explains each field to authors.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expectation::{Expectation, Value};
use super::period::Period;

/// The version of the vocabulary that this code reads.
pub const SCHEMA: u32 = 1;

/// An exercise (TP): what the learner is asked and how the real state proves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// Version of the vocabulary: 1.
    pub schema: u32,
    /// `<module slug>/<tp slug>`.
    pub id: String,
    /// French title.
    pub title: String,
    /// One French sentence for the module's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Expected time.
    pub duration: Period,
    /// Host capabilities without which the exercise is unavailable.
    #[serde(default)]
    pub requires: Vec<String>,
    /// The learner's machine.
    #[serde(default)]
    pub machine: Machine,
    /// Exercises to do before this one.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Values that differ between learners.
    #[serde(default)]
    pub vars: BTreeMap<String, Variable>,
    /// Names for processes and containers.
    #[serde(default)]
    pub bind: BTreeMap<String, Binding>,
    /// What must be true.
    pub checks: Vec<Check>,
    /// Questions whose answer is compared with a live fact.
    #[serde(default)]
    pub ask: Vec<Question>,
    /// Help that appears with time.
    #[serde(default)]
    pub hints: Vec<Hint>,
    /// Script that solves the exercise; never served.
    pub solve: String,
    /// Near misses, each of which must fail one check.
    pub counterexamples: Vec<CounterExample>,
}

/// The machine an exercise runs in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Name of its image, without the `quai/` in front.
    pub image: String,
    /// Names of two machines on one private link; without them there is one machine alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Which of `hosts` an exercise is about, from 1; 0 for the whole.
    #[serde(skip)]
    pub place: u8,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            image: "machine".into(),
            hosts: Vec::new(),
            place: 0,
        }
    }
}

/// How a variable's value is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Variable {
    /// One of these values.
    Pick(Vec<Value>),
    /// An integer between both bounds, included.
    Range(i64, i64),
}

/// Facts (or fact paths) and what is expected of each.
pub type Expectations = BTreeMap<String, Expectation>;

/// Which object a name stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Selects a process by its facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Expectations>,
    /// Selects a container by its facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Expectations>,
    /// Which of several candidates.
    #[serde(default)]
    pub pick: Pick,
    /// Whether the name stays with the object it once chose.
    #[serde(default)]
    pub keep: bool,
}

/// Which of several candidates a binding takes, by start time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pick {
    /// The one that started last.
    #[default]
    Newest,
    /// The one that started first.
    Oldest,
}

/// One line of the check list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Slug, unique among checks and questions.
    pub id: String,
    /// French sentence.
    pub text: String,
    /// The machine whose facts are read, one of `machine.hosts`; the first unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether it must be true now or have been true once.
    #[serde(default)]
    pub mode: Mode,
    /// Checks and questions that must be green before.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What must have been seen true before `assert`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baseline: Expectations,
    /// What must hold.
    #[serde(rename = "assert")]
    pub expect: Expectations,
    /// French sentences for the failure of each fact path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub explain: BTreeMap<String, String>,
}

/// When a check counts as true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// While it is true.
    #[default]
    Level,
    /// From the first time it was true.
    Edge,
}

/// A question to the learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Slug, unique among checks and questions.
    pub id: String,
    /// French question.
    pub text: String,
    /// The machine whose facts are read, one of `machine.hosts`; the first unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What kind of answer is expected.
    #[serde(rename = "type")]
    pub kind: AnswerKind,
    /// The right answer: a value, or a reference to a fact or a variable.
    pub equals: Value,
    /// Possible answers of a `choice`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Checks and questions that must be green before.
    #[serde(default)]
    pub needs: Vec<String>,
}

/// The kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerKind {
    /// A whole number.
    Integer,
    /// Some words.
    Text,
    /// One of `choices`.
    Choice,
}

/// Help that may be opened after a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// Time since the exercise was opened.
    pub after: Period,
    /// French Markdown.
    pub md: String,
}

/// A near miss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CounterExample {
    /// Script in the exercise's folder.
    pub run: String,
    /// The check or question that it must leave red.
    pub must_fail: String,
}

/// The JSON Schema of the front matter, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Exercise).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of `docs/exercises.md` is the vocabulary's first user.
    #[test]
    fn the_documented_example_is_an_exercise_and_survives_json() {
        let doc = include_str!("../../../docs/exercises.md");
        let front = doc
            .split_once("```yaml\n---\n")
            .and_then(|(_, rest)| rest.split_once("---\n```"))
            .expect("the example is there")
            .0;
        let exercise: Exercise = serde_saphyr::from_str(front).unwrap();
        assert_eq!(exercise.checks.len(), 3);
        assert_eq!(exercise.bind["isole"].pick, Pick::Newest);
        let json = serde_json::to_string(&exercise).unwrap();
        assert_eq!(serde_json::from_str::<Exercise>(&json).unwrap(), exercise);
    }

    #[test]
    fn the_json_schema_names_the_fields_of_an_exercise() {
        let schema = json_schema();
        let properties = &schema["properties"]["checks"];
        assert!(properties.is_object(), "{schema:#}");
    }
}

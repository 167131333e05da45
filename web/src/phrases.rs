//! Verdicts as French sentences: kind of verdict → sentence of `messages/fr.toml`.

use serde::Serialize;

use crate::messages::{find, say};

/// A value as it was expected or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Yes or no.
    Truth(bool),
    /// A number.
    Number(i64),
    /// Words.
    Text(String),
    /// Several values.
    List(Vec<Value>),
}

/// A comparison that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The fact's path as the author wrote it.
    pub fact: String,
    /// The operator of the exercise's vocabulary.
    pub operator: String,
    /// What was expected.
    pub expected: Option<Value>,
    /// What was read.
    pub observed: Option<Value>,
    /// Where it was read.
    pub source: String,
    /// The author's own sentence.
    pub explain: Option<String>,
}

/// Why a check is not green, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// The author's sentence, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<String>,
    /// What was expected and what was observed.
    pub line: String,
    /// Where it was read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
}

/// A fact is not what is expected.
#[must_use]
pub fn mismatch(mismatch: &Mismatch) -> Why {
    compared("verdict.mismatch", mismatch)
}

/// The state that must come first has not been seen.
#[must_use]
pub fn baseline(mismatch: &Mismatch) -> Why {
    compared("verdict.baseline", mismatch)
}

/// Nothing in the machine matches a name.
#[must_use]
pub fn unbound(name: &str) -> Why {
    plain(say("verdict.unbound", &[("name", name)]))
}

/// The answer is not the right one.
#[must_use]
pub fn wrong(given: &str) -> Why {
    plain(say("verdict.wrong", &[("given", given)]))
}

/// The platform cannot tell.
#[must_use]
pub fn undetermined(why: &str) -> Why {
    plain(say("verdict.undetermined", &[("why", why)]))
}

fn plain(line: String) -> Why {
    Why {
        explain: None,
        line,
        source: String::new(),
    }
}

fn compared(sentence: &str, mismatch: &Mismatch) -> Why {
    let expected = mismatch.expected.as_ref().map(words);
    let observed = mismatch.observed.as_ref().map(words);
    let absent = || say("verdict.absent", &[]);
    let key = format!("operator.{}", mismatch.operator);
    // An operator without a sentence of its own is shown as it is written in the exercise.
    let template = find(&key).map_or("operator.other", |_| key.as_str());
    let wanted = say(
        template,
        &[
            ("fact", &mismatch.fact),
            ("operator", &mismatch.operator),
            ("expected", &expected.unwrap_or_else(absent)),
        ],
    );
    let observed = observed.unwrap_or_else(absent);
    Why {
        explain: mismatch.explain.clone(),
        line: say(sentence, &[("wanted", &wanted), ("observed", &observed)]),
        source: mismatch.source.clone(),
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Truth(true) => say("verdict.yes", &[]),
        Value::Truth(false) => say("verdict.no", &[]),
        Value::Number(number) => number.to_string(),
        Value::Text(text) if text.is_empty() => say("verdict.empty", &[]),
        Value::Text(text) => text.clone(),
        Value::List(list) if list.is_empty() => say("verdict.nothing", &[]),
        Value::List(list) => list.iter().map(words).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(operator: &str) -> Mismatch {
        Mismatch {
            fact: "groupe.memory.max".into(),
            operator: operator.into(),
            expected: Some(Value::Number(64)),
            observed: Some(Value::Text("max".into())),
            source: "/sys/fs/cgroup/tp/memory.max".into(),
            explain: None,
        }
    }

    #[test]
    fn expected_against_observed() {
        assert_eq!(
            mismatch(&sample("eq")).line,
            "attendu : groupe.memory.max = 64 ; observé : max"
        );
    }

    #[test]
    fn every_operator_of_the_vocabulary_has_its_sentence() {
        for operator in [
            "eq", "ne", "gte", "lte", "in", "contains", "lacks", "under", "sequence", "count",
            "exists",
        ] {
            assert!(
                find(&format!("operator.{operator}")).is_some(),
                "{operator}"
            );
        }
        assert!(mismatch(&sample("zut")).line.contains("zut"));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let mut absent = sample("eq");
        absent.observed = None;
        assert!(mismatch(&absent).line.ends_with("observé : rien"));
    }
}

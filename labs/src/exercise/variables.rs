//! A learner's own values, and their place in French texts.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Value;
use super::schema::{Exercise, Variable};

/// Chooses the values of an exercise's variables: always the same for one seed and one exercise.
pub fn choose(exercise: &Exercise, seed: &[u8]) -> BTreeMap<String, Value> {
    let value = |(name, variable): (&String, &Variable)| {
        let number = number(seed, exercise.whole_id(), name);
        let value = match variable {
            Variable::Pick(values) => values.get(index(number, values.len()))?.clone(),
            Variable::Range(low, high) => {
                let width = high.checked_sub(*low)?.checked_add(1)?;
                let width = u64::try_from(width).ok().filter(|w| *w > 0)?;
                Value::Int(low.checked_add_unsigned(number % width)?)
            }
        };
        Some((name.clone(), value))
    };
    exercise.vars.iter().filter_map(value).collect()
}

/// Replaces `{{word}}` by what `known` says; other braces stay as they are.
pub fn fill(text: &str, known: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("{{") {
        filled.push_str(before);
        let replaced = tail
            .split_once("}}")
            .and_then(|(word, after)| Some((known(word.trim())?, after)));
        match replaced {
            Some((value, after)) => {
                filled.push_str(&value);
                rest = after;
            }
            None => {
                filled.push_str("{{");
                rest = tail;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// The environment of a proof's scripts: `TP_NOM=phare`.
pub fn environment(vars: &BTreeMap<String, Value>) -> Vec<(String, String)> {
    vars.iter()
        .map(|(name, value)| (format!("TP_{}", name.to_uppercase()), value.to_string()))
        .collect()
}

fn number(seed: &[u8], exercise: &str, name: &str) -> u64 {
    let mut hash = Sha256::new();
    for part in [seed, exercise.as_bytes(), name.as_bytes()] {
        // Lengths first, so that no two triples give the same bytes.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

fn index(number: u64, length: usize) -> usize {
    usize::try_from(number % (length.max(1) as u64)).expect("smaller than a length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercise::load::parse;

    fn exercise() -> Exercise {
        let text = "---\nschema: 1\nid: a/b\ntitle: T\nduration: 5m\nvars:\n  nom: { pick: [a, b, c, d] }\n  port: { range: [8000, 8003] }\nchecks: []\nsolve: s\ncounterexamples: []\n---\n";
        parse(std::path::Path::new("tp.md"), text).unwrap().exercise
    }

    #[test]
    fn values_are_stable_for_a_learner_and_differ_between_learners() {
        let exercise = exercise();
        let first = choose(&exercise, b"learner 1");
        assert_eq!(first, choose(&exercise, b"learner 1"));
        let values: std::collections::BTreeSet<_> =
            (0..64_u8).map(|n| choose(&exercise, &[n])).collect();
        assert_eq!(
            values.len(),
            16,
            "every combination appears among 64 learners"
        );
        let Value::Int(port) = first["port"] else {
            panic!()
        };
        assert!((8000..=8003).contains(&port));
        assert_eq!(environment(&first)[1].0, "TP_PORT");
    }

    #[test]
    fn only_known_words_are_replaced() {
        let known = |word: &str| (word == "nom").then(|| "phare".to_owned());
        assert_eq!(fill("a {{nom}} {{ nom }}.", known), "a phare phare.");
        assert_eq!(fill("{{.State.Pid}} {{", known), "{{.State.Pid}} {{");
    }
}

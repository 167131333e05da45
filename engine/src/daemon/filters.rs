//! The `filters` parameter of list routes.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::DaemonError;

/// Filters by key; a value matches when any of its alternatives does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Reads `{"status":["running"]}` or the older `{"status":{"running":true}}`; only `known` keys are allowed.
    pub fn parse(text: Option<&str>, known: &[&str]) -> Result<Self, DaemonError> {
        let filters = Self::of_any_key(text)?;
        match filters.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(DaemonError::Invalid(format!("invalid filter '{key}'"))),
            None => Ok(filters),
        }
    }

    /// The same where unknown keys are allowed, and match nothing.
    pub fn of_any_key(text: Option<&str>) -> Result<Self, DaemonError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self::default());
        };
        let bad = || DaemonError::Invalid("invalid filter".into());
        let map: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|_| bad())?;
        let mut filters = BTreeMap::new();
        for (key, value) in map {
            let values = match value {
                Value::Array(list) => list
                    .into_iter()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect(),
                Value::Object(set) => set
                    .into_iter()
                    .filter(|(_, on)| *on == Value::Bool(true))
                    .map(|(v, _)| v)
                    .collect(),
                _ => return Err(bad()),
            };
            filters.insert(key, values);
        }
        Ok(Self(filters))
    }

    /// The alternatives of a key; empty when it is not filtered.
    pub fn get(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// Whether the key is filtered at all.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The same with one more alternative.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.0
            .entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
        self
    }

    /// The keys that are filtered.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether an alternative of `key` satisfies `test`, or the key is not filtered.
    pub fn any(&self, key: &str, test: impl FnMut(&String) -> bool) -> bool {
        !self.has(key) || self.get(key).iter().any(test)
    }

    /// The alternatives of a key as the patterns that they are in Docker (`name`, `id`).
    pub fn patterns(&self, key: &str) -> Patterns {
        let alternatives = self.get(key);
        if alternatives.is_empty() {
            return Patterns(None);
        }
        let pattern = |text: &String| (text.clone(), Regex::new(text).ok());
        Patterns(Some(alternatives.iter().map(pattern).collect()))
    }

    /// Whether the labels satisfy all of `label` (`name` or `name=value`) and none of `label!`.
    pub fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        self.get("label").iter().all(has) && !self.get("label!").iter().any(has)
    }

    /// A filter that is true or false.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, DaemonError> {
        match self.get(key) {
            [] => Ok(None),
            [value] if matches!(value.as_str(), "1" | "true" | "True" | "t") => Ok(Some(true)),
            [value] if matches!(value.as_str(), "0" | "false" | "False" | "f") => Ok(Some(false)),
            other => Err(DaemonError::Invalid(format!(
                "invalid filter '{key}=[{}]'",
                other.join(" ")
            ))),
        }
    }
}

/// Regular expressions of which one has to be found somewhere in a text. One that is none matches only itself.
#[derive(Clone, Debug)]
pub struct Patterns(Option<Vec<(String, Option<Regex>)>>);

impl Patterns {
    /// Whether one is found, or the key is not filtered.
    pub fn find(&self, text: &str) -> bool {
        self.0.as_ref().is_none_or(|patterns| {
            patterns.iter().any(|(same, pattern)| {
                same == text
                    || pattern
                        .as_ref()
                        .is_some_and(|pattern| pattern.is_match(text))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_mean_the_same() {
        let known = ["status"];
        let new = Filters::parse(Some(r#"{"status":["running"]}"#), &known).unwrap();
        let old = Filters::parse(
            Some(r#"{"status":{"running":true,"exited":false}}"#),
            &known,
        )
        .unwrap();
        assert_eq!(new, old);
        assert!(Filters::parse(Some(r#"{"other":["x"]}"#), &known).is_err());
        assert!(Filters::parse(Some("["), &known).is_err());
    }

    #[test]
    fn names_are_regular_expressions() {
        let find = |wanted: &str, name: &str| {
            let filters = Filters::default().with("name", wanted);
            filters.patterns("name").find(name)
        };
        assert!(find("^a.c$", "abc") && find("b", "abc") && find("(?i)ABC", "abc"));
        assert!(!find("^b", "abc") && !find("ABC", "abc"));
        assert!(!find("[", "abc") && find("[", "["));
        assert!(Filters::default().patterns("name").find("abc"));
    }
}

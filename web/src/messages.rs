//! French sentences by key, from `messages/fr.toml`.
//!
//! Rust code names a sentence (`say("local.ready", &[("url", &url)])`) and never contains one.

use std::collections::BTreeMap;
use std::sync::OnceLock;

static SOURCE: &str = include_str!("../messages/fr.toml");
static TABLE: OnceLock<BTreeMap<String, String>> = OnceLock::new();

/// Returns the sentence called `key` with each `{name}` replaced by its value.
///
/// An unknown key comes back as itself, so that a page is never lost for a missing sentence.
#[must_use]
pub fn say(key: &str, values: &[(&str, &str)]) -> String {
    match find(key) {
        Some(sentence) => fill(sentence, values),
        None => key.to_owned(),
    }
}

/// Returns the sentence called `key`, if there is one.
#[must_use]
pub fn find(key: &str) -> Option<&'static str> {
    table().get(key).map(String::as_str)
}

/// Every sentence whose key begins with `prefix` and a dot, without that prefix.
#[must_use]
pub fn section(prefix: &str) -> BTreeMap<&'static str, &'static str> {
    let table = table();
    table
        .iter()
        .filter_map(|(key, sentence)| {
            let rest = key.strip_prefix(prefix)?.strip_prefix('.')?;
            Some((rest, sentence.as_str()))
        })
        .collect()
}

/// Replaces `{name}` by its value in one pass: a value that contains braces stays as it is.
fn fill(sentence: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let found = after.find('}').and_then(|close| {
            let name = &after[1..close];
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, close))
        });
        match found {
            Some((value, close)) => {
                out.push_str(value);
                rest = &after[close + 1..];
            }
            None => {
                out.push('{');
                rest = &after[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn table() -> &'static BTreeMap<String, String> {
    TABLE.get_or_init(|| {
        let root: toml::Table =
            toml::from_str(SOURCE).expect("messages/fr.toml is parsed by a test of this crate");
        let mut table = BTreeMap::new();
        flatten("", &root, &mut table);
        table
    })
}

fn flatten(prefix: &str, from: &toml::Table, into: &mut BTreeMap<String, String>) {
    for (name, value) in from {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            toml::Value::String(sentence) => {
                into.insert(key, sentence.clone());
            }
            toml::Value::Table(inner) => flatten(&key, inner, into),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_the_file_is_a_sentence() {
        fn walk(path: &str, table: &toml::Table) {
            for (name, value) in table {
                match value {
                    toml::Value::String(sentence) => {
                        assert!(!sentence.trim().is_empty(), "{path}.{name} is empty");
                    }
                    toml::Value::Table(inner) => walk(&format!("{path}.{name}"), inner),
                    other => panic!("{path}.{name} is not a sentence: {other:?}"),
                }
            }
        }
        walk("", &toml::from_str(SOURCE).unwrap());
    }

    #[test]
    fn values_take_the_place_of_their_names() {
        assert_eq!(
            fill("de {a} à {b}", &[("a", "1"), ("b", "{a}")]),
            "de 1 à {a}"
        );
        assert_eq!(fill("{inconnu} {a", &[("a", "1")]), "{inconnu} {a");
    }

    #[test]
    fn an_unknown_key_is_shown_as_itself() {
        assert_eq!(say("no.such.key", &[]), "no.such.key");
    }
}

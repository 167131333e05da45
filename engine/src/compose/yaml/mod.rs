//! YAML as Compose files write it: values with the lines they stand in, and the tags `!reset` and `!override`.
//!
//! Events come from the parser; what they mean is decided here, because a deserializer drops the tags. A plain
//! scalar is read as Go's `yaml.v3` reads it, on which the reference stands (`on` is a text, `0440` is octal).

mod expand;
mod node;
mod scalar;

use serde_json::Value;

/// Why a text is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// Not YAML.
    #[error("yaml: line {line}: {what}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What the parser says.
        what: String,
    },
    /// A mapping that says the same key twice.
    #[error(
        "yaml: unmarshal errors:\n  line {line}: mapping key {key:?} already defined at line {first}"
    )]
    Duplicate {
        /// The second line.
        line: usize,
        /// The first line.
        first: usize,
        /// The key.
        key: String,
    },
    /// A key that is a number, a boolean or a collection.
    #[error("yaml: line {line}: Non-string key {at}: {key}")]
    Key {
        /// From 1.
        line: usize,
        /// `in services`, or `at top level`.
        at: String,
        /// As written.
        key: String,
    },
    /// An alias of nothing.
    #[error("yaml: line {line}: unknown anchor '{name}' referenced")]
    Anchor {
        /// From 1.
        line: usize,
        /// Without its star.
        name: String,
    },
    /// An alias inside what it stands for.
    #[error("cycle detected: node at path {from} references node at path {to} (line {line})")]
    Cycle {
        /// From 1.
        line: usize,
        /// Where the second round begins.
        from: String,
        /// Where the first one does.
        to: String,
    },
    /// Aliases that explode.
    #[error("yaml: document contains excessive aliasing")]
    Excessive,
    /// `<<` of something that is no mapping.
    #[error("yaml: line {line}: map merge requires map or sequence of maps as the value")]
    Merge {
        /// From 1.
        line: usize,
    },
}

/// One document of a text.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// What it says, without what it resets.
    pub(crate) value: Value,
    /// Places that are taken out of the documents below before this one is put on top.
    pub(crate) cuts: Vec<Cut>,
    /// Sentences for the reader.
    pub(crate) warnings: Vec<String>,
}

/// The way from a document's root to something: keys, and `[N]` for the items of lists.
pub(crate) type Cut = Vec<String>;

/// The documents of `text`, in order.
pub(crate) fn read(text: &str) -> Result<Vec<Document>, YamlError> {
    node::read(text)?
        .into_iter()
        .map(|(root, warnings)| {
            let (value, cuts) = expand::value(&root)?;
            Ok(Document {
                value,
                cuts,
                warnings,
            })
        })
        .collect()
}

/// Takes what `cuts` name below `under` out of `value`, which stands at `under`.
pub(crate) fn cut(value: &mut Value, cuts: &[Cut], under: &[&str]) {
    for cut in cuts {
        let Some((last, way)) = cut
            .get(under.len()..)
            .filter(|_| cut.iter().zip(under).all(|(a, b)| a == b))
            .and_then(<[String]>::split_last)
        else {
            continue;
        };
        let place = way
            .iter()
            .try_fold(&mut *value, |place, key| place.get_mut(key));
        if let Some(members) = place.and_then(Value::as_object_mut) {
            members.shift_remove(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(text: &str, expected: Value) {
        let documents = read(text).unwrap();
        assert_eq!(documents[0].value, expected, "{text}");
    }

    #[test]
    fn plain_scalars_are_read_as_the_reference_reads_them() {
        check(
            "{a: on, b: yes, c: true, d: ~, e: , f: 0440, g: 0o17, h: 0x10, i: 1_000, j: 1e3, k: .5, l: '5', m: 22:22}",
            json!({
                "a": "on", "b": "yes", "c": true, "d": null, "e": null, "f": 288, "g": 15, "h": 16, "i": 1000,
                "j": 1000.0, "k": 0.5, "l": "5", "m": "22:22",
            }),
        );
        check(
            "{a: !!str 5, b: !!int '5', c: -0x10, d: 0888, e: \"\", f: 2001-01-01}",
            json!({ "a": "5", "b": 5, "c": -16, "d": 888, "e": "", "f": "2001-01-01" }),
        );
    }

    #[test]
    fn merges_and_aliases_are_resolved() {
        check(
            "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], c: 5}\nw: *x\n",
            json!({
                "x": { "a": 1, "b": 2 }, "y": { "b": 3, "c": 4 },
                "z": { "a": 1, "b": 2, "c": 5 }, "w": { "a": 1, "b": 2 },
            }),
        );
    }

    #[test]
    fn tags_cut_what_stands_below() {
        let text = "services:\n  web:\n    ports: !reset []\n    environment: {A: !reset null, B: 1}\n    \
                    command: !override [x]\n";
        let over = read(text).unwrap().remove(0);
        assert_eq!(
            over.value,
            json!({ "services": { "web": { "environment": { "B": 1 }, "command": ["x"] } } })
        );
        let mut below = json!({ "services": { "web": {
            "ports": [1], "environment": { "A": 1, "C": 2 }, "command": ["y", "z"], "image": "i",
        } } });
        cut(&mut below, &over.cuts, &[]);
        assert_eq!(
            below,
            json!({ "services": { "web": { "environment": { "C": 2 }, "image": "i" } } })
        );
        let mut service = json!({ "ports": [1], "image": "i" });
        cut(&mut service, &over.cuts, &["services", "web"]);
        assert_eq!(service, json!({ "image": "i" }));
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), expected, "{text}");
    }

    #[test]
    fn errors_name_the_line() {
        refused(
            "a:\n  b: 1\n  c: 2\n  b: 3\n",
            "yaml: unmarshal errors:\n  line 4: mapping key \"b\" already defined at line 2",
        );
        refused(
            "services:\n  1: {}\n",
            "yaml: line 2: Non-string key in services: 1",
        );
        refused("1: {}\n", "yaml: line 1: Non-string key at top level: 1");
        refused(
            "a: 1\nb: *no\n",
            "yaml: line 2: unknown anchor 'no' referenced",
        );
        refused(
            "services: &a\n  web: *a\n",
            "cycle detected: node at path services.web.web references node at path services.web (line 2)",
        );
        refused(
            "a: {<<: 5}\n",
            "yaml: line 1: map merge requires map or sequence of maps as the value",
        );
        for broken in ["a: [\n", "a:\n\tb: 1\n", "a: b: c\n", "a: &\n- x"] {
            let error = read(broken).unwrap_err();
            assert!(error.to_string().contains("yaml: line "), "{broken}");
        }
        let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(matches!(read(&deep), Err(YamlError::Syntax { .. })));
    }

    #[test]
    fn aliases_that_explode_are_refused() {
        let mut text = String::from("a: &a [l, l, l, l, l, l, l, l, l, l]\n");
        for (next, last) in ('b'..='j').zip('a'..='i') {
            let list = vec![format!("*{last}"); 10].join(", ");
            text.push_str(&format!("{next}: &{next} [{list}]\n"));
        }
        assert_eq!(read(&text).unwrap_err(), YamlError::Excessive);
    }

    #[test]
    fn a_tag_that_means_nothing_is_told() {
        let document = read("a: !reste [x]\n").unwrap().remove(0);
        assert_eq!(document.value, json!({ "a": ["x"] }));
        assert_eq!(
            document.warnings,
            ["line 1: the tag !reste means nothing here: !reset and !override do"]
        );
    }
}

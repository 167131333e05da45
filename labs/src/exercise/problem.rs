//! What is wrong with an exercise's file: file, line, cause. Data only; `web` makes sentences.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Something wrong in a file of the course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}{}: {cause}", .file.display(), .line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1, when one can be named.
    pub line: Option<u64>,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// The file cannot be read.
    Unreadable {
        /// The system's reason.
        why: String,
    },
    /// The file does not begin with `---`, or the second `---` is missing.
    NoFrontMatter,
    /// The YAML is malformed, or a value is not of its field's type.
    Yaml {
        /// The parser's words.
        message: String,
    },
    /// A field the vocabulary does not know.
    UnknownField {
        /// The field.
        field: String,
        /// The known field that looks most like it.
        closest: Option<String>,
        /// The fields known there.
        known: Vec<String>,
    },
    /// A required field is not there.
    MissingField {
        /// The field.
        field: String,
    },
    /// A version of the vocabulary that this program does not read.
    Schema {
        /// The version found.
        found: u32,
    },
    /// A field is empty or does not have the form it must have.
    Malformed {
        /// The field.
        field: String,
        /// The value.
        value: String,
    },
    /// The same id twice.
    DuplicateId {
        /// The id.
        id: String,
    },
    /// An id that names nothing.
    UnknownId {
        /// The field that mentions it.
        field: String,
        /// The id.
        id: String,
        /// The id that looks most like it.
        closest: Option<String>,
    },
    /// A fact path that names no fact.
    UnknownFact {
        /// The path.
        path: String,
        /// The word in it that is not known.
        word: String,
        /// The known word that looks most like it.
        closest: Option<String>,
    },
    /// A reference to a variable that is not declared.
    UnknownVariable {
        /// The variable.
        name: String,
    },
    /// Names or needs that depend on one another in a circle.
    Circle {
        /// One of them.
        name: String,
    },
    /// An operator that can never hold for this fact.
    Operator {
        /// The fact's path.
        path: String,
        /// The operator.
        operator: String,
    },
    /// A script that is not in the exercise's folder.
    NoScript {
        /// Its name.
        script: String,
    },
    /// A level check that something is gone, true before the scene exists.
    NoBaseline {
        /// The check.
        check: String,
    },
    /// A sentence that does not look French.
    NotFrench {
        /// The field.
        field: String,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = |closest: &Option<String>| {
            closest
                .as_ref()
                .map(|c| format!("; did you mean {c:?}?"))
                .unwrap_or_default()
        };
        match self {
            Self::Unreadable { why } => write!(f, "cannot read the file: {why}"),
            Self::NoFrontMatter => {
                f.write_str("no front matter: begin with a line ---, end it with another ---")
            }
            Self::Yaml { message } => f.write_str(message),
            Self::UnknownField {
                field,
                closest,
                known,
            } => {
                let known = known.join(", ");
                write!(
                    f,
                    "unknown field {field:?}{} (known here: {known})",
                    hint(closest)
                )
            }
            Self::MissingField { field } => write!(f, "missing field {field:?}"),
            Self::Schema { found } => write!(f, "schema {found} is not known; write schema: 1"),
            Self::Malformed { field, value } => {
                write!(f, "{field}: {value:?} has not the form it must have")
            }
            Self::DuplicateId { id } => write!(f, "the id {id:?} is used twice"),
            Self::UnknownId { field, id, closest } => {
                write!(f, "{field}: nothing has the id {id:?}{}", hint(closest))
            }
            Self::UnknownFact {
                path,
                word,
                closest,
            } => write!(
                f,
                "{path:?} is no fact: {word:?} is not known{}",
                hint(closest)
            ),
            Self::UnknownVariable { name } => write!(f, "no variable is called {name:?}"),
            Self::Circle { name } => write!(f, "{name:?} depends on itself"),
            Self::Operator { path, operator } => {
                write!(f, "{operator} can never hold for {path:?}")
            }
            Self::NoScript { script } => write!(f, "no script {script:?} beside tp.md"),
            Self::NoBaseline { check } => write!(
                f,
                "check {check:?} wants something gone: give it a baseline or needs, \
                 or it is green before the scene exists"
            ),
            Self::NotFrench { field } => write!(f, "{field} does not look French"),
        }
    }
}

/// The word of `known` that looks most like `word`, if any does.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let limit = word.chars().count() / 3 + 1;
    known
        .into_iter()
        .map(|k| (distance(word, k), k))
        .filter(|(d, _)| *d <= limit)
        .min()
        .map(|(_, k)| k.into())
}

/// Levenshtein's distance: insertions, deletions and substitutions between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_suggested_only_when_it_is_close() {
        let known = ["duration", "machine", "checks"];
        assert_eq!(closest("durration", known).as_deref(), Some("duration"));
        assert_eq!(closest("cheks", known).as_deref(), Some("checks"));
        assert_eq!(closest("zzz", known), None);
    }
}

//! `$NAME` and `${NAME…}` in the values of a document, from the environment.
//!
//! The forms are those of the Compose specification, section "Interpolation": `${N}`, `${N:-default}`,
//! `${N-default}`, `${N:?error}`, `${N?error}`, `${N:+replacement}`, `${N+replacement}`; what stands behind the
//! operator may hold references itself. `$$` is a dollar sign. Keys are never replaced.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::ComposeError;

/// Why a reference cannot be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreplaced {
    /// `${NAME:?message}` of a variable that is not set.
    #[error("required variable {name} is missing a value{}{message}", if message.is_empty() { "" } else { ": " })]
    Required {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: String,
    },
    /// No reference at all.
    #[error("{whole:?}: {why}")]
    Format {
        /// The text it stands in.
        whole: String,
        /// What was expected.
        why: &'static str,
    },
}

/// Variables by name.
pub(crate) type Environment = BTreeMap<String, String>;

/// References inside references go no deeper.
const DEEPEST: usize = 16;

/// Replaces every reference in the document; names that are not set go into `unset`.
pub(crate) fn document(
    value: &mut Value,
    at: &str,
    environment: &Environment,
    unset: &mut Vec<String>,
) -> Result<(), ComposeError> {
    match value {
        Value::String(text) => {
            if text.contains('$') {
                *text = self::text(text, environment, unset).map_err(|source| {
                    ComposeError::Interpolation {
                        at: at.to_owned(),
                        source,
                    }
                })?;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                document(item, &format!("{at}.[{index}]"), environment, unset)?;
            }
        }
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                let at = match at {
                    "" => key.clone(),
                    at => format!("{at}.{key}"),
                };
                document(member, &at, environment, unset)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

/// Replaces the references in one text.
pub(crate) fn text(
    text: &str,
    environment: &Environment,
    unset: &mut Vec<String>,
) -> Result<String, Unreplaced> {
    Expansion {
        environment,
        unset,
        whole: text,
    }
    .expand(text, 0)
}

struct Expansion<'a> {
    environment: &'a Environment,
    unset: &'a mut Vec<String>,
    whole: &'a str,
}

impl Expansion<'_> {
    fn expand(&mut self, text: &str, depth: usize) -> Result<String, Unreplaced> {
        if depth > DEEPEST {
            return Err(self.complaint("references are nested too deeply"));
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let end = closing(after).ok_or_else(|| self.complaint("a `{` is not closed"))?;
                out.push_str(&self.braced(&after[..end], depth)?);
                rest = &after[end + 1..];
            } else {
                let length = name_length(rest);
                if length == 0 {
                    return Err(self.complaint("write `$$` for a dollar sign"));
                }
                out.push_str(&self.look_up(&rest[..length]));
                rest = &rest[length..];
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// What stands between the braces.
    fn braced(&mut self, inner: &str, depth: usize) -> Result<String, Unreplaced> {
        let length = name_length(inner);
        if length == 0 {
            return Err(self.complaint("a name was expected behind `${`"));
        }
        let (name, rest) = inner.split_at(length);
        if rest.is_empty() {
            return Ok(self.look_up(name));
        }
        // With a colon an empty value counts as none.
        let (counts_empty, operator) = match rest.strip_prefix(':') {
            Some(operator) => (false, operator),
            None => (true, rest),
        };
        let value = self.environment.get(name).cloned();
        let value = value.filter(|value| counts_empty || !value.is_empty());
        let mut letters = operator.chars();
        let (operator, word) = (letters.next(), letters.as_str());
        match (operator, value) {
            (Some('-'), Some(value)) => Ok(value),
            (Some('-'), None) => self.expand(word, depth + 1),
            (Some('+'), Some(_)) => self.expand(word, depth + 1),
            (Some('+'), None) => Ok(String::new()),
            (Some('?'), Some(value)) => Ok(value),
            (Some('?'), None) => {
                let message = self.expand(word, depth + 1)?;
                Err(Unreplaced::Required {
                    name: name.to_owned(),
                    message,
                })
            }
            _ => Err(self.complaint(
                "behind the name one of `:-`, `-`, `:?`, `?`, `:+`, `+` or `}` was expected",
            )),
        }
    }

    fn look_up(&mut self, name: &str) -> String {
        match self.environment.get(name) {
            Some(value) => value.clone(),
            None => {
                if !self.unset.iter().any(|known| known == name) {
                    self.unset.push(name.to_owned());
                }
                String::new()
            }
        }
    }

    fn complaint(&self, why: &'static str) -> Unreplaced {
        Unreplaced::Format {
            whole: self.whole.to_owned(),
            why,
        }
    }
}

/// How many bytes of a name `text` begins with.
fn name_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if !bytes
        .first()
        .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
    {
        return 0;
    }
    bytes
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
        .count()
}

/// Where the `}` stands that closes what was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '$' if letters.peek().is_some_and(|(_, next)| *next == '{') => {
                letters.next();
                depth += 1;
            }
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        [("SET", "value"), ("EMPTY", ""), ("TAG", "1.2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[track_caller]
    fn check(written: &str, expected: &str) {
        let replaced = text(written, &environment(), &mut Vec::new());
        assert_eq!(replaced.as_deref(), Ok(expected), "{written}");
    }

    #[test]
    fn every_form_is_replaced() {
        check("image:$TAG", "image:1.2");
        check("image:${TAG}", "image:1.2");
        check("$$TAG and $${TAG}", "$TAG and ${TAG}");
        check("${SET:-other}", "value");
        check("${NONE:-other}", "other");
        check("${EMPTY:-other}", "other");
        check("${EMPTY-other}", "");
        check("${NONE-other}", "other");
        check("${SET:+there}", "there");
        check("${EMPTY:+there}", "");
        check("${EMPTY+there}", "there");
        check("${NONE+there}", "");
        check("${SET:?must be}", "value");
        check("${NONE:-${SET}-${NONE:-x}}", "value-x");
        check("${NONE:-a:b?c}", "a:b?c");
        check("$NONE|", "|");
    }

    #[test]
    fn what_is_not_set_is_told_once() {
        let mut unset = Vec::new();
        text("$NONE ${NONE} ${OTHER}", &environment(), &mut unset).unwrap();
        assert_eq!(unset, ["NONE", "OTHER"]);
    }

    #[track_caller]
    fn refused(written: &str, part: &str) {
        let error = text(written, &environment(), &mut Vec::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{written}: {error}");
    }

    #[test]
    fn what_cannot_be_replaced_is_refused() {
        refused(
            "${NONE:?give a name}",
            "NONE is missing a value: give a name",
        );
        refused("${EMPTY:?}", "EMPTY is missing a value");
        refused("${SET", "not closed");
        refused("${1}", "a name was expected");
        refused("5 $ only", "`$$`");
        refused("${SET!x}", "was expected");
        let deep = format!("{}x{}", "${N:-".repeat(40), "}".repeat(40));
        refused(&deep, "too deeply");
    }
}

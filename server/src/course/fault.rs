//! What is wrong in a file of the course: for its author.

use std::fmt;

use labs::exercise::{Cause, Problem};
use web::messages::say;

/// A fault: file, line where it is known, cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Path below the course folder.
    pub(crate) file: String,
    /// Line, from 1.
    pub(crate) line: Option<usize>,
    /// Cause.
    pub(crate) cause: String,
}

impl Fault {
    /// A fault of a whole file.
    pub(crate) fn new(file: &str, cause: impl fmt::Display) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            cause: cause.to_string(),
        }
    }

    /// A fault at a line.
    pub(crate) fn at(file: &str, line: usize, cause: impl fmt::Display) -> Self {
        Self {
            line: Some(line),
            ..Self::new(file, cause)
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.cause),
            None => write!(f, "{}: {}", self.file, self.cause),
        }
    }
}

impl From<&Problem> for Fault {
    fn from(problem: &Problem) -> Self {
        Self {
            file: problem.file.display().to_string(),
            line: problem.line.and_then(|line| usize::try_from(line).ok()),
            cause: sentence(&problem.cause),
        }
    }
}

/// A cause in French.
fn sentence(cause: &Cause) -> String {
    let hint = |closest: &Option<String>| match closest {
        Some(closest) => say("problem.hint", &[("closest", closest)]),
        None => String::new(),
    };
    match cause {
        Cause::Unreadable { why } => say("problem.unreadable", &[("why", why)]),
        Cause::NoFrontMatter => say("problem.no-front-matter", &[]),
        Cause::Yaml { message } => say("problem.yaml", &[("message", message)]),
        Cause::UnknownField {
            field,
            closest,
            known,
        } => {
            let known = known.join(", ");
            let values = [
                ("field", &**field),
                ("hint", &hint(closest)),
                ("known", &known),
            ];
            say("problem.unknown-field", &values)
        }
        Cause::MissingField { field } => say("problem.missing-field", &[("field", field)]),
        Cause::Schema { found } => say("problem.schema", &[("found", &found.to_string())]),
        Cause::Malformed { field, value } => {
            say("problem.malformed", &[("field", field), ("value", value)])
        }
        Cause::DuplicateId { id } => say("problem.duplicate-id", &[("id", id)]),
        Cause::UnknownId { field, id, closest } => {
            let values = [("field", &**field), ("id", id), ("hint", &hint(closest))];
            say("problem.unknown-id", &values)
        }
        Cause::UnknownFact {
            path,
            word,
            closest,
        } => {
            let values = [("path", &**path), ("word", word), ("hint", &hint(closest))];
            say("problem.unknown-fact", &values)
        }
        Cause::UnknownVariable { name } => say("problem.unknown-variable", &[("name", name)]),
        Cause::Circle { name } => say("problem.circle", &[("name", name)]),
        Cause::Operator { path, operator } => say(
            "problem.operator",
            &[("path", path), ("operator", operator)],
        ),
        Cause::NoScript { script } => say("problem.no-script", &[("script", script)]),
        Cause::NoBaseline { check } => say("problem.no-baseline", &[("check", check)]),
        Cause::NotFrench { field } => say("problem.not-french", &[("field", field)]),
    }
}

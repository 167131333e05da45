//! What is wrong in a file of the course: for its author.

use std::fmt;

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

//! Go templates, as far as `--format` needs them: `{{.Names}}`, `{{json .Config}}`, `{{range}}`.
//!
//! Three steps, each its own file: text → tokens (`lexer`), tokens → tree (`parser`), tree and
//! data → text (`eval`). Data is JSON, whose objects stand for Go's structs and maps alike.

mod absent;
mod escape;
mod eval;
mod functions;
mod lexer;
mod node;
mod parser;
mod print;
mod token;

use serde_json::Value;

use parser::Parsed;

/// A template that is ready to be executed.
#[derive(Debug)]
pub(crate) struct Template {
    parsed: Parsed,
    /// What errors call it.
    name: &'static str,
    /// How many bytes of the user's text stood before it.
    offset: usize,
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum TemplateError {
    /// It is not well formed.
    #[error("template: {name}:{line}: {why}")]
    Parse {
        /// What the template is called.
        name: &'static str,
        /// Where.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// It does not fit the data.
    #[error("template: {name}:1:{at}: executing \"{name}\" at <{what}>: {why}")]
    Execute {
        /// What the template is called.
        name: &'static str,
        /// The byte where the failing part begins.
        at: usize,
        /// The failing part.
        what: String,
        /// What is wrong.
        why: String,
    },
}

/// What a template is applied to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data<'d> {
    /// The dot.
    pub(crate) value: &'d Value,
    /// Methods of the dot that take a key: `{{.Label "name"}}`.
    pub(crate) methods: &'d Value,
    /// What the dot is, for errors and for how it prints as JSON.
    pub(crate) kind: Kind,
}

/// What the dot is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A row of a listing, whose type has this name in Docker's error messages.
    Row(&'static str),
    /// A document of the API.
    Document,
    /// A document whose type has this name in Docker's error messages.
    Named(&'static str),
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        Self::named("", text)
    }

    /// Reads a template that errors call `name`.
    pub(crate) fn named(name: &'static str, text: &str) -> Result<Self, TemplateError> {
        let parsed = lexer::tokens(text)
            .and_then(parser::parse)
            .map_err(|error| error.within(name, 0))?;
        Ok(Self {
            parsed,
            name,
            offset: 0,
        })
    }

    /// Says how many bytes stood before the text.
    pub(crate) fn after(mut self, bytes: usize) -> Self {
        self.offset = bytes;
        self
    }

    /// Applies it to data.
    pub(crate) fn execute(&self, data: Data<'_>) -> Result<String, TemplateError> {
        let mut out = String::new();
        eval::run(&self.parsed, data, &mut out)
            .map_err(|error| error.within(self.name, self.offset))?;
        Ok(out)
    }
}

impl TemplateError {
    fn within(mut self, called: &'static str, offset: usize) -> Self {
        match &mut self {
            Self::Parse { name, .. } => *name = called,
            Self::Execute { name, at, .. } => {
                *name = called;
                *at += offset;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;

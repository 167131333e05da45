//! Go templates, as far as `--format` needs them: `{{.Names}}`, `{{json .Config}}`, `{{range}}`.
//!
//! Three steps, each its own file: text → tokens (`lexer`), tokens → tree (`parser`), tree and
//! data → text (`eval`). Data is JSON, whose objects stand for Go's structs and maps alike.
//! Deliberately absent: `define`, `template`, `block` and the functions that escape for web pages.

mod absent;
mod eval;
mod functions;
mod lexer;
mod node;
mod parser;
mod print;
mod token;

use serde_json::Value;

use node::Node;

/// A template that is ready to be executed.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum TemplateError {
    /// It is not well formed.
    #[error("template: :{line}: {why}")]
    Parse {
        /// Where.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// It does not fit the data.
    #[error("template: :1:{at}: executing \"\" at <{what}>: {why}")]
    Execute {
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
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let tokens = lexer::tokens(text)?;
        Ok(Self {
            nodes: parser::parse(tokens)?,
        })
    }

    /// Applies it to data.
    pub(crate) fn execute(&self, data: Data<'_>) -> Result<String, TemplateError> {
        let mut out = String::new();
        eval::run(&self.nodes, data, &mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests;

//! The Dockerfile language: bytes become instructions. Nothing here reads a disk or a network.
//!
//! Reading order: `lexer` (bytes → logical lines), `words` (one line → words), `node` (a line with its words, not yet
//! judged), `instruction` (what an instruction means, one variant each), `build` (nodes → stages), `expand`
//! (`${name:-word}`), `ignore` (`.dockerignore`), `lint` (known mistakes). The input is hostile: every pass is linear,
//! and files, lines, instructions and expanded values have limits.

mod error;
mod lexer;
mod node;
mod words;

mod build;
mod flags;
mod health;
mod instruction;
mod mount;

mod expand;
mod pattern;

mod ignore;
mod lint;
mod lint_shell;

pub use build::{Dockerfile, Stage, Step, parse};
pub use error::{ParseError, ParseErrorKind, Place};
pub use expand::{ExpandError, Expander};
pub use health::Healthcheck;
pub use ignore::{BadIgnore, Ignore, PathPattern};
pub use instruction::{Command, Copy, CopySource, Form, Instruction, KeyValue, Network, Run};
pub use lexer::Heredoc;
pub use lint::{Rule, Warning, lint};
pub use mount::{BuildMount, MountKind, Sharing};
pub use node::Node;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

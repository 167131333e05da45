//! Printing, with the errors that `println!` would turn into a panic.

use std::io::{Write, stderr, stdout};

use super::error::CliError;

/// Writes text to stdout.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    bytes(text.as_bytes())
}

/// Writes a line to stdout.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    let mut line = String::with_capacity(text.len() + 1);
    line.push_str(text);
    line.push('\n');
    print(&line)
}

/// Writes bytes to stdout.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(CliError::Output)
}

/// Writes a line to stderr; if that fails there is nobody left to tell.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

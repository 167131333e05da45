//! The terminal this client runs in: is there one, how large is it, and raw mode.

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::os::fd::AsFd;

use kernel::pty::{WindowSize, window_size};
use kernel::termios::RawMode;

use super::error::CliError;

/// Whether stdin is a terminal.
pub(crate) fn has_input() -> bool {
    stdin().is_terminal()
}

/// Whether stdout is a terminal.
pub(crate) fn has_output() -> bool {
    stdout().is_terminal()
}

/// Whether stderr is a terminal.
pub(crate) fn has_errors() -> bool {
    stderr().is_terminal()
}

/// The size of the terminal on stdout, when it is one.
pub(crate) fn size() -> Option<WindowSize> {
    window_size(stdout().as_fd())
        .ok()
        .filter(|size| size.cols > 0 && size.rows > 0)
}

/// How many characters fit on a line; 80 when nobody knows.
pub(crate) fn width() -> usize {
    size().map_or(80, |size| size.cols.into())
}

/// Passes every key on until the guard is dropped.
pub(crate) fn raw() -> Result<RawMode, CliError> {
    let terminal = stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|source| CliError::Stream {
            doing: "duplicate stdin",
            source,
        })?;
    RawMode::enter(terminal).map_err(CliError::Terminal)
}

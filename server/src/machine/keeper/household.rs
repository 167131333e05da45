//! What the terminals need from the rest of the keeper, and nothing more.
//!
//! The loop in `events` knows ptys, screens and clients. It does not know stages, namespaces or
//! the inner init: those sit behind [`Household`], so that a test runs the same loop with an
//! ordinary bash on an ordinary pty.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::screen::Size;

/// A shell on a new pty.
#[derive(Debug)]
pub(crate) struct Shell {
    /// The master end; the loop makes it non-blocking.
    pub(crate) master: OwnedFd,
    /// Readable when the shell has ended; whoever is the parent reaps it.
    pub(crate) pidfd: OwnedFd,
}

/// Why no shell could be started: one French sentence for the page.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoShell(pub(crate) String);

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Go on serving.
    Continue,
    /// Tell every client `{"machine":"stopped"}` and return.
    Stop,
}

/// The parts of the keeper that are not terminals.
pub(crate) trait Household {
    /// Opens a pty of this size and starts a login shell on it; must not wait for long.
    fn open_shell(&mut self, terminal: &str, size: Size) -> Result<Shell, NoShell>;

    /// Takes a connection whose first line opened something else than a terminal (`watch`, `run`,
    /// `status`), with that line and the bytes that came right after it.
    fn adopt(&mut self, stream: UnixStream, opening: serde_json::Value, early: Vec<u8>);

    /// Descriptors whose readability `react` wants to hear of: children, signals, sockets.
    fn watched(&self) -> Vec<BorrowedFd<'_>>;

    /// How long the loop may sleep when nothing happens; `None` is for ever.
    fn patience(&self) -> Option<Duration>;

    /// Called after every wait, with the places in `watched` that became readable (maybe none).
    fn react(&mut self, ready: &[usize]) -> Then;
}

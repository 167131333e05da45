//! Between a browser's websocket and a keeper's socket: the same frames, cut differently.
//!
//! The relay understands frames only as far as it must to refuse what no browser of ours sends.
//! It holds at most one frame in each direction and waits until it has left: a browser that does
//! not read stops the keeper, a keeper that does not read stops the browser.

mod carry;
#[cfg(test)]
mod tests;
mod wanted;

pub(crate) use carry::{RelayError, limited, open, refuse, run, tell};
pub(crate) use wanted::{Asked, Wanted};

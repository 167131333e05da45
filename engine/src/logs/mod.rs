//! Where the output of containers goes: the shim writes, even while no daemon runs.
//!
//! Output becomes messages (`message`), which a driver writes: to files (`json_file`, `local`; `rotate` turns them
//! over) or to a collector (`syslog`, `gelf`, `journald`; `wire` is the way there). Nothing here waits: a collector
//! that is slow makes the container wait or messages get lost, as its mode says.

pub mod local;
pub mod message;
pub mod reader;
pub mod spec;

mod gelf;
pub mod journald;
mod json_file;
mod output;
mod place;
mod rotate;
mod secure;
pub mod syslog;
mod wire;

pub use message::Stream;
pub(crate) use output::Log;
pub(crate) use place::Place;

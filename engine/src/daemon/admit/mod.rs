//! What a request may ask: refusals in Docker's words, and warnings about what this host cannot hold.
//!
//! Nothing here touches the kernel or a record: each file looks at one part of the request.

mod config;
mod host;
mod limits;
mod mounts;
mod security;

pub(crate) use config::config;
pub(crate) use host::host;
pub(crate) use limits::{Occasion, limits};
pub(crate) use mounts::{mount_target, mounts};

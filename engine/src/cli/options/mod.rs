//! The values of options, parsed at the border: a size, a duration, a published port, a mount.
//!
//! Each file turns the text of one kind of option into what the API's bodies want. All of it is
//! pure; what a value means on the kernel is the daemon's business.

pub(crate) mod checks;
pub(crate) mod duration;
pub(crate) mod environment;
pub(crate) mod filters;
pub(crate) mod gpus;
pub(crate) mod moment;
pub(crate) mod mounts;
pub(crate) mod networks;
pub(crate) mod ports;
pub(crate) mod reference;
pub(crate) mod size;
pub(crate) mod ulimit;
pub(crate) mod words;

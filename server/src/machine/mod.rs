//! The machine of a learner: how it is named, started, looked after and ended.
//!
//! `pool` decides which machines live; `helper` starts and stops them as the host's root; `keeper`
//! and `inner` are the two processes of a machine that are ours. `stage` and `channel` are how
//! those three speak while a machine is being made; `uplink` is the way out of an open machine, `cable` the link of
//! two machines of one exercise, `filter` what programs in a machine may ask of the kernel. ARCHITECTURE.md draws the two stages.

mod cable;
mod channel;
pub(crate) mod data;
mod filter;
pub(crate) mod helper;
pub(crate) mod identity;
pub(crate) mod inner;
pub(crate) mod keeper;
pub(crate) mod pool;
pub(crate) mod spec;
mod stage;
mod uplink;

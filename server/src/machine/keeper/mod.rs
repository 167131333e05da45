//! The keeper of one machine: owns its ptys and emulated screens, and outlives the web server.
//!
//! A terminal is a pty, an emulated screen and a ring of its last output (`terminal`). Clients
//! come and go over a socket whose frames are in `wire`; one blocking thread serves them all
//! (`events`). What lies outside terminals is behind `household`.

mod cable;
mod client;
mod engine;
pub(crate) mod events;
pub(crate) mod household;
mod inner_stage;
pub(crate) mod opening;
pub(crate) mod outer;
mod residence;
mod ring;
mod role;
mod screen;
mod terminal;
#[cfg(test)]
pub(crate) mod tests;
mod uplink;
mod visitors;
pub(crate) mod wire;

pub(crate) use role::run;
pub(crate) use screen::Size;

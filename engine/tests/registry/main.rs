//! Registries from both sides: a hostile one against the client, our own against our own and foreign clients.

#![expect(clippy::print_stdout, reason = "a test says why it is skipped")]

mod bearer;
mod full;
mod hostile;
mod journey;
mod kill;
mod model;
mod peers;
mod place;
mod power_cut;
mod server;

//! Names inside user-defined networks: what 127.0.0.11 answers in each container.
//!
//! [`zone`] knows who is called what in which network, [`answer`] decides on one question, [`socket`] listens inside a
//! container's namespace. Questions about other names go on to the configured servers; that, and the serving, is the
//! daemon's, which is asynchronous. A container is told of its own networks only: a view is a list of them.

pub mod answer;
pub mod socket;
pub mod zone;

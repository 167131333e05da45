//! Networks of containers: bridges, addresses, published ports.
//!
//! Everything is made inside the stage's network namespace (the host's own, or the machine's), by
//! a fresh thread that enters it and then ends. What a container owns (its end of a veth pair)
//! dies with its namespace; what the daemon owns (bridges, the NAT table) is rebuilt from the
//! daemon's records, each time in one atomic step. Blocking: call it through `spawn_blocking`.
//!
//! Deliberately absent: names and records of networks, which are the daemon's.

pub mod bridge;
pub mod ipam;
pub mod ports;

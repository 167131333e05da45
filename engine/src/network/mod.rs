//! Networks of containers: drivers, addresses, packet rules, names.
//!
//! Everything is made inside the stage's network namespace (the host's own, or the machine's), by
//! a fresh thread that enters it and then ends. What a container owns (its end of a veth pair)
//! dies with its namespace; what the daemon owns (bridges, the table of rules) is rebuilt from the
//! daemon's records, each time in one atomic step. Blocking: call it through `spawn_blocking`.
//!
//! For the daemon, in order: [`bridge::create`] when it starts and for each new network;
//! [`ipam::Pool`] for an address; after `runtime::launch::create`, [`bridge::attach`] (or
//! [`none::attach`]); [`ports::reserve`] for a port of the host; then [`rules::apply`] with *all*
//! networks and live publications, at the start, after each attach and after each end. `host` and
//! `container:ID` need nothing.
//!
//! Deliberately absent: names and records of networks, which are the daemon's.

pub mod subnet;

pub mod ipam;
pub mod routes;

pub mod bridge;
pub mod child;
pub mod encryption;
pub mod endpoint;
pub mod ipvlan;
pub mod macvlan;
pub mod none;
pub mod overlay;
pub mod parent;

pub mod ports;
pub mod rules;

pub mod dns;

mod inside;
mod parameter;

pub(crate) use inside::in_stage;

use kernel::error::SysError;

/// A step on a network that failed.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A namespace cannot be entered or opened.
    #[error("cannot enter the network namespace {path}")]
    Namespace {
        /// Which.
        path: String,
        /// Why.
        source: SysError,
    },
    /// A request of the kernel failed.
    #[error("cannot {step}")]
    Kernel {
        /// What was to be done: `create bridge docker0`.
        step: String,
        /// Why.
        source: SysError,
    },
    /// Another process of the stage listens on the port already.
    #[error("failed to bind host port {address}/{protocol}: address already in use")]
    PortTaken {
        /// Address and port.
        address: std::net::SocketAddr,
        /// Which protocol.
        protocol: ports::Protocol,
    },
    /// An ordinary user may not have the port.
    #[error(
        "cannot expose privileged port {port}: choose a larger port number (>= 1024), or let every user of this host \
         have it with `sysctl net.ipv4.ip_unprivileged_port_start={port}`"
    )]
    PortPrivileged {
        /// Which.
        port: u16,
    },
    /// The protocol has no port that an ordinary user's engine can relay.
    #[error(
        "cannot publish a port of {protocol}: an ordinary user's engine relays tcp and udp only"
    )]
    NotRelayed {
        /// Which.
        protocol: ports::Protocol,
    },
    /// This kernel cannot do it.
    #[error("this kernel has no {feature}: `quai doctor` lists what it lacks")]
    Lacking {
        /// What it lacks, with its configuration option.
        feature: &'static str,
    },
}

/// Names the step that a system call failed in.
fn step(what: impl Into<String>) -> impl FnOnce(SysError) -> NetworkError {
    let step = what.into();
    |source| NetworkError::Kernel { step, source }
}

//! Published ports and masquerading: one NAT table, always replaced whole.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// A port of the stage that leads to a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Publication {
    /// Address on the stage's side; unspecified means all.
    pub host_address: Ipv4Addr,
    /// Port on the stage's side.
    pub host_port: u16,
    /// The container.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// Which protocol.
    pub protocol: Protocol,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

//! Published ports: where they lead, and the sockets that keep others from them.

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use kernel::reservation::{self, Reservation, Transport};
use serde::{Deserialize, Serialize};

use super::inside::{Namespace, inside};
use super::{NetworkError, step};
use crate::stage::Stage;

/// A port of the stage that leads to a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Publication {
    /// Address on the stage's side, of the same family as the container's; unspecified means all.
    pub host_address: IpAddr,
    /// Port on the stage's side.
    pub host_port: u16,
    /// The container.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Which protocol.
    pub protocol: Protocol,
}

impl Publication {
    /// Where it is reached.
    pub fn host(&self) -> SocketAddr {
        SocketAddr::new(self.host_address, self.host_port)
    }
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Reads the word behind the slash of `80/tcp`.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            "sctp" => Some(Self::Sctp),
            _ => None,
        }
    }

    /// Its number in an IP header.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// Takes a port of the stage that nobody has: the one asked for, or with 0 any. It is free again when the value is
/// dropped.
pub fn reserve(
    stage: &Stage,
    address: SocketAddr,
    protocol: Protocol,
) -> Result<Reservation, NetworkError> {
    let transport = match protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
        Protocol::Sctp => Transport::Sctp,
    };
    inside(&Namespace::of_stage(stage)?, || {
        reservation::reserve(address, transport).map_err(|error| match error.source.kind() {
            ErrorKind::AddrInUse => NetworkError::PortTaken { address, protocol },
            _ if error.source.raw_os_error() == Some(NO_SUCH_PROTOCOL) => NetworkError::Lacking {
                feature: "SCTP (CONFIG_IP_SCTP)",
            },
            _ => step(format!("listen on {address}/{protocol}"))(error),
        })
    })
}

/// `EPROTONOSUPPORT`
const NO_SUCH_PROTOCOL: i32 = 93;

//! Published ports: where they lead, and the sockets that keep others from them.

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use kernel::error::SysError;
use kernel::reservation::{self, Reservation, Transport};
use serde::{Deserialize, Serialize};

use super::inside::{Namespace, inside};
use super::{NetworkError, step};
use crate::rootless::{Carrier, Door};
use crate::stage::Stage;

/// A port of the stage that leads to a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Publication {
    /// Address on the stage's side; unspecified means all. Of another family than the container's, what comes there is
    /// relayed by the engine, since no rule translates one family into the other.
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

    /// Whether the engine passes on what comes, instead of a rule.
    pub fn is_relayed(&self) -> bool {
        self.host_address.is_ipv4() != self.address.is_ipv4()
    }
}

/// Whether the stage has IPv6 at all.
pub fn has_ipv6(stage: &Stage) -> Result<bool, NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        Ok(std::path::Path::new("/proc/thread-self/net/if_inet6").exists())
    })
}

/// A connection to a container's port, made in the stage; waits for it.
pub fn connect(stage: &Stage, target: SocketAddr) -> Result<TcpStream, NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        let stream = TcpStream::connect_timeout(&target, PATIENCE).and_then(|stream| {
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        stream.map_err(|e| step(format!("reach {target}"))(SysError::io("connect", e)))
    })
}

/// A socket that speaks with a container's port, made in the stage.
pub fn towards(stage: &Stage, target: SocketAddr) -> Result<UdpSocket, NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        let any: SocketAddr = match target {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
        };
        let socket = UdpSocket::bind(any).and_then(|socket| {
            socket.connect(target)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        socket.map_err(|e| step(format!("reach {target}"))(SysError::io("connect", e)))
    })
}

/// How long a container may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// Takes a port of the host as [`reserve`] does, for an engine that is not in the host's network namespace.
pub fn reserve_on_host(
    door: &Door,
    address: SocketAddr,
    protocol: Protocol,
) -> Result<Reservation, NetworkError> {
    let carrier = match protocol {
        Protocol::Tcp => Carrier::Tcp,
        Protocol::Udp => Carrier::Udp,
        Protocol::Sctp => return Err(NetworkError::NotRelayed { protocol }),
    };
    door.listen(address, carrier)
        .map(|(socket, port)| Reservation::passed(socket, port))
        .map_err(|error| match error.source.kind() {
            ErrorKind::AddrInUse => NetworkError::PortTaken { address, protocol },
            ErrorKind::PermissionDenied => NetworkError::PortPrivileged {
                port: address.port(),
            },
            _ => step(format!("listen on {address}/{protocol} of the host"))(error),
        })
}

/// `EPROTONOSUPPORT`
const NO_SUCH_PROTOCOL: i32 = 93;

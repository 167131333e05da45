//! The sockets of a container's resolver, inside its namespace, and the rule that leads port 53 to them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use kernel::error::SysError;
use kernel::netlink::link;
use kernel::netlink::nftables::{self, Action, Chain, Family, Hook, Match, Place, Rule, Table};

use crate::network::inside::{Namespace, inside};
use crate::network::{NetworkError, step};
use crate::stage::Stage;

/// Where a container's resolver answers.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// Name of the table in the container.
const TABLE: &str = "docker-dns";

/// How long a server may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(4);

/// The place of one container's resolver.
#[derive(Debug)]
pub struct Spot {
    container: Namespace,
    stage: Namespace,
}

/// Sockets that do not block.
#[derive(Debug)]
pub struct Sockets {
    /// For datagrams.
    pub udp: UdpSocket,
    /// For long answers.
    pub tcp: TcpListener,
}

impl Spot {
    /// The namespace of a container, named by its `engine_pid`.
    pub fn of(stage: &Stage, engine_pid: u32) -> Result<Self, NetworkError> {
        Ok(Self {
            container: Namespace::of_process(engine_pid)?,
            stage: Namespace::of_stage(stage)?,
        })
    }

    /// Listens at any port, and leads port 53 of [`ADDRESS`] there: the container may use the port itself.
    pub fn listen(&self) -> Result<Sockets, NetworkError> {
        inside(&self.container, || {
            link::set_up("lo").map_err(step("turn on lo"))?;
            let any = SocketAddr::from((ADDRESS, 0));
            let io = |e| step("listen at 127.0.0.11")(SysError::io("bind", e));
            let udp = UdpSocket::bind(any).map_err(io)?;
            let tcp = TcpListener::bind(any).map_err(io)?;
            udp.set_nonblocking(true).map_err(io)?;
            tcp.set_nonblocking(true).map_err(io)?;
            let ports = [(UDP, port(udp.local_addr())), (TCP, port(tcp.local_addr()))];
            nftables::create(&table(ports)).map_err(step("lead port 53 to the resolver"))?;
            Ok(Sockets { udp, tcp })
        })
    }

    /// A socket that speaks with one server, as the container would: through its networks. A server on a loopback
    /// address is the host's own.
    pub fn towards(&self, server: SocketAddr) -> Result<UdpSocket, NetworkError> {
        inside(self.side(server), || {
            let socket = UdpSocket::bind(any(server)).and_then(|socket| {
                socket.connect(server)?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            });
            socket.map_err(|e| step(format!("ask {server}"))(SysError::io("connect", e)))
        })
    }

    /// The same over TCP; waits for the connection.
    pub fn connect(&self, server: SocketAddr) -> Result<TcpStream, NetworkError> {
        inside(self.side(server), || {
            let stream = TcpStream::connect_timeout(&server, PATIENCE).and_then(|stream| {
                stream.set_nonblocking(true)?;
                Ok(stream)
            });
            stream.map_err(|e| step(format!("ask {server}"))(SysError::io("connect", e)))
        })
    }

    fn side(&self, server: SocketAddr) -> &Namespace {
        if server.ip().is_loopback() {
            &self.stage
        } else {
            &self.container
        }
    }
}

fn any(like: SocketAddr) -> SocketAddr {
    match like {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    }
}

fn port(address: std::io::Result<SocketAddr>) -> u16 {
    address.map_or(0, |address| address.port())
}

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Leads port 53 to these ports, by writing them into the packets. To translate addresses (`dnat`) would do too, but
/// makes the kernel track every connection of the container, whomever it is to: that costs a tenth of the connections
/// a second. Where somebody in the container has connections tracked, the kernel sees only port 53: what is asked is
/// changed after it has looked, and what is answered before.
fn table(ports: [(u8, u16); 2]) -> Table {
    let address = IpAddr::V4(ADDRESS);
    let asked = |(protocol, port)| Rule {
        matches: vec![
            Match::Destination(address),
            Match::Protocol(protocol),
            Match::Port(53),
        ],
        action: Action::Write(Place::Destination(protocol), port),
    };
    let from_resolver = |told: Vec<Match>, action| Rule {
        matches: [vec![Match::Source(address, 32)], told].concat(),
        action,
    };
    let answered = |(protocol, port)| {
        let told = vec![Match::Protocol(protocol), Match::SourcePort(port)];
        from_resolver(told, Action::Write(Place::Source(protocol), 53))
    };
    // While no engine listens, who asks is told so at once.
    let refused = |(_, port)| {
        let told = vec![Match::Refused(port)];
        from_resolver(told, Action::Write(Place::Refused, 53))
    };
    let [datagrams, _] = ports;
    let mut answers: Vec<Rule> = ports.map(answered).to_vec();
    answers.push(refused(datagrams));
    let chain = |name, hook, rules| Chain { name, hook, rules };
    Table {
        family: Family::Ip,
        name: TABLE.to_owned(),
        chains: vec![
            chain("answers", Hook::Leaving, answers),
            chain("questions", Hook::Left, ports.map(asked).to_vec()),
        ],
    }
}

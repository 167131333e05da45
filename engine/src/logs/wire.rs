//! The way to a collector that is not a file. Nothing here ever waits: what cannot be sent now is kept or lost.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::place::Place;
use super::secure::Secure;
use super::spec::{Endpoint, Mode};

/// With so many bytes waiting a container in blocking mode waits too.
const WAITING_MAX: usize = 64 << 10;
/// How long a first connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How a lost stream is made again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How often, before what waits is lost.
    pub(super) tries: u32,
    /// The pause between two tries.
    pub(super) pause: Duration,
}

/// A connection, or the memory of one.
#[derive(Debug)]
pub(super) struct Wire {
    endpoint: Endpoint,
    place: Place,
    mode: Mode,
    patience: Patience,
    socket: Option<Socket>,
    /// Whole messages; of a stream the first may be half sent.
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    sent_of_first: usize,
    tries: u32,
    next_try: Option<Instant>,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<Secure>),
    UnixDatagram(UnixDatagram),
    UnixStream(UnixStream),
}

impl Wire {
    /// Connects; a collector that is not there now is an error.
    pub(super) fn open(
        endpoint: &Endpoint,
        place: Place,
        mode: Mode,
        patience: Patience,
    ) -> io::Result<Self> {
        let socket = Socket::connect(endpoint, &place, CONNECT)?;
        Ok(Self {
            endpoint: endpoint.clone(),
            place,
            mode,
            patience,
            socket: Some(socket),
            waiting: VecDeque::new(),
            bytes: 0,
            sent_of_first: 0,
            tries: 0,
            next_try: None,
        })
    }

    /// Whether messages are datagrams, each with a largest size of its own.
    pub(super) fn is_stream(&self) -> bool {
        matches!(
            self.socket,
            Some(Socket::Tcp(_) | Socket::Tls(_) | Socket::UnixStream(_)) | None
        )
    }

    /// Sends a message, or keeps it until it can be sent. Over the limit of non-blocking mode it is lost.
    pub(super) fn send(&mut self, message: Vec<u8>) {
        if let Mode::NonBlocking { max_buffer } = self.mode
            && self.bytes > 0
            && (self.bytes + message.len()) as u64 > max_buffer
        {
            return;
        }
        self.bytes += message.len();
        self.waiting.push_back(message);
        if self.waiting.len() == 1 {
            self.flush();
        }
    }

    /// Sends what the other side takes; a broken stream is made again.
    pub(super) fn flush(&mut self) {
        while !self.waiting.is_empty() {
            if self.socket.is_none() && !self.connect_again() {
                return;
            }
            let (Some(socket), Some(first)) = (&mut self.socket, self.waiting.front()) else {
                return;
            };
            let rest = &first[self.sent_of_first..];
            match socket.send(rest) {
                Ok(count) if count < rest.len() && socket.is_stream() => {
                    self.sent_of_first += count;
                }
                Ok(_) => {
                    self.tries = 0;
                    self.forget_first();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_busy(&error) => return,
                // Nobody listens on that port now: datagrams get lost, that is what they are for.
                Err(_) if matches!(self.endpoint, Endpoint::Udp(_)) => self.forget_first(),
                Err(_) => {
                    self.socket = None;
                    self.sent_of_first = 0;
                }
            }
        }
        if let Some(Socket::Tls(secure)) = &mut self.socket
            && secure.settle().is_err_and(|error| !is_busy(&error))
        {
            self.socket = None;
        }
    }

    /// Whether the container must wait.
    pub(super) fn is_full(&self) -> bool {
        self.mode == Mode::Blocking && self.bytes > WAITING_MAX
    }

    /// Whether something waits to be sent.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || self.is_unsettled()
    }

    fn is_unsettled(&self) -> bool {
        matches!(&self.socket, Some(Socket::Tls(secure)) if secure.is_unsettled())
    }

    /// What to wait for until `flush` can go on: room in the socket, or a time.
    pub(super) fn next(&self) -> (Option<BorrowedFd<'_>>, Option<Duration>) {
        match (&self.socket, !self.is_waiting()) {
            (_, true) => (None, None),
            (Some(socket), false) => (Some(socket.fd()), None),
            (None, false) => {
                let left = self.next_try.map_or(Duration::ZERO, |at| {
                    at.saturating_duration_since(Instant::now())
                });
                (None, Some(left))
            }
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.waiting.pop_front() {
            self.bytes -= first.len();
        }
        self.sent_of_first = 0;
    }

    fn connect_again(&mut self) -> bool {
        if self.next_try.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        // Short: the shim has other things to do meanwhile.
        let short = Duration::from_millis(200);
        match Socket::connect(&self.endpoint, &self.place, short) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.next_try = None;
                true
            }
            Err(_) => {
                self.tries += 1;
                self.next_try = Some(Instant::now() + self.patience.pause);
                if self.tries > self.patience.tries {
                    // The collector is gone: what waited is lost, and the next message tries anew.
                    self.waiting.clear();
                    self.bytes = 0;
                    self.tries = 0;
                }
                false
            }
        }
    }
}

impl Socket {
    fn connect(endpoint: &Endpoint, place: &Place, patience: Duration) -> io::Result<Self> {
        match endpoint {
            Endpoint::Udp(address) => place.in_network(|| udp(*address)).map(Self::Udp),
            Endpoint::Tcp(address) => place.in_network(|| tcp(*address, patience)).map(Self::Tcp),
            Endpoint::Tls(address, wanted) => {
                let stream = place.in_network(|| tcp(*address, patience))?;
                Secure::agree(stream, wanted, place, patience)
                    .map(|secure| Self::Tls(Box::new(secure)))
            }
            Endpoint::Unixgram(path) => place.with_socket(path, datagram).map(Self::UnixDatagram),
            Endpoint::Unix(path) => place
                .with_socket(path, datagram)
                .map(Self::UnixDatagram)
                .or_else(|_| place.with_socket(path, stream).map(Self::UnixStream)),
        }
    }

    fn is_stream(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Tls(_) | Self::UnixStream(_))
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.send(bytes),
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(secure) => secure.send(bytes),
            Self::UnixDatagram(socket) => socket.send(bytes),
            Self::UnixStream(stream) => stream.write(bytes),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp(socket) => socket.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
            Self::Tls(secure) => secure.fd(),
            Self::UnixDatagram(socket) => socket.as_fd(),
            Self::UnixStream(stream) => stream.as_fd(),
        }
    }
}

/// A full queue of datagrams is ENOBUFS where that of a stream is EAGAIN.
fn is_busy(error: &io::Error) -> bool {
    const ENOBUFS: i32 = 105;
    error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(ENOBUFS)
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if address.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn tcp(address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn datagram(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn stream(path: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

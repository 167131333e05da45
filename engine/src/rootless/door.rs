//! What an engine asks of its parent, which is still on the host: the way in, and sockets on the host's ports.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use kernel::error::SysError;
use kernel::reservation::{self, Transport};
use kernel::{process, rendezvous, rights};
use serde::{Deserialize, Serialize};

/// A protocol whose ports can be relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One message from the engine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// Where the namespaces are.
    Enter,
    /// A socket on a port of the host; port 0 means any.
    Listen {
        address: SocketAddr,
        carrier: Carrier,
    },
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    /// With a descriptor of the anchor.
    Anchor {
        /// The control group that the engine has to be in, as the host's paths name it.
        group: Option<PathBuf>,
    },
    /// With the socket.
    Listening { port: u16 },
    /// What the system call said.
    Refused { errno: i32 },
}

/// Callers that wait while the engine is busy.
const BACKLOG: u16 = 128;
/// Messages are short.
const MOST: usize = 4096;

/// The connection of an engine to its parent; the parent stays while it is open.
#[derive(Debug)]
pub struct Door(Mutex<OwnedFd>);

impl Door {
    /// Reaches the parent that waits at a path.
    pub(super) fn reach(path: &Path) -> Result<Self, SysError> {
        rendezvous::connect(path).map(|socket| Self(Mutex::new(socket)))
    }

    /// Takes over the descriptor that the engine was executed with.
    pub fn inherited(number: RawFd) -> Result<Self, SysError> {
        process::inherited(number).map(|socket| Self(Mutex::new(socket)))
    }

    /// A socket on a port of the host, listening if it is TCP, and the port.
    pub fn listen(
        &self,
        address: SocketAddr,
        carrier: Carrier,
    ) -> Result<(OwnedFd, u16), SysError> {
        let failed = |source| SysError::io("bind", source).on(address.to_string());
        match self.ask(&Request::Listen { address, carrier })? {
            (Reply::Listening { port }, Some(socket)) => Ok((socket, port)),
            (Reply::Refused { errno }, _) => Err(failed(std::io::Error::from_raw_os_error(errno))),
            _ => Err(failed(std::io::ErrorKind::InvalidData.into())),
        }
    }

    pub(super) fn ask(&self, request: &Request) -> Result<(Reply, Option<OwnedFd>), SysError> {
        let socket = self.0.lock().expect("no panic while holding it");
        let bytes = serde_json::to_vec(request).expect("a request has string keys only");
        rights::send(socket.as_fd(), &bytes, &[])?;
        let mut buffer = [0; MOST];
        let (length, mut fds) = rights::receive(socket.as_fd(), &mut buffer)?;
        let reply = serde_json::from_slice(&buffer[..length])
            .map_err(|e| SysError::io("recvmsg", e.into()).on("the rootless parent"))?;
        Ok((reply, fds.pop()))
    }

    /// The descriptor, for the program that goes on with it.
    pub(super) fn into_socket(self) -> OwnedFd {
        self.0.into_inner().expect("no panic while holding it")
    }
}

/// Hears one request; `None` when the engine is gone.
pub(super) fn hear(socket: BorrowedFd<'_>) -> Option<Request> {
    let mut buffer = [0; MOST];
    let (length, _) = rights::receive(socket, &mut buffer).ok()?;
    serde_json::from_slice(&buffer[..length]).ok()
}

/// Answers; an engine that is gone needs none.
pub(super) fn answer(socket: BorrowedFd<'_>, reply: &Reply, with: Option<BorrowedFd<'_>>) {
    let bytes = serde_json::to_vec(reply).expect("a reply has string keys only");
    let _ = rights::send(socket, &bytes, with.as_slice());
}

/// Makes the socket that was asked for, here on the host.
pub(super) fn open_port(address: SocketAddr, carrier: Carrier) -> Result<(OwnedFd, u16), SysError> {
    let transport = match carrier {
        Carrier::Tcp => Transport::Tcp,
        Carrier::Udp => Transport::Udp,
    };
    let reservation = reservation::reserve(address, transport)?;
    let port = reservation.port();
    Ok((reservation.into_socket(BACKLOG)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_socket_comes_through_the_door() {
        let (engine, parent) = rights::pair().unwrap();
        let serving = std::thread::spawn(move || {
            while let Some(Request::Listen { address, carrier }) = hear(parent.as_fd()) {
                match open_port(address, carrier) {
                    Ok((socket, port)) => {
                        answer(
                            parent.as_fd(),
                            &Reply::Listening { port },
                            Some(socket.as_fd()),
                        );
                    }
                    Err(e) => {
                        let errno = e.source.raw_os_error().unwrap();
                        answer(parent.as_fd(), &Reply::Refused { errno }, None);
                    }
                }
            }
        });
        let door = Door(Mutex::new(engine));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (socket, port) = door.listen(any, Carrier::Tcp).unwrap();
        let listener = std::net::TcpListener::from(socket);
        listener.set_nonblocking(false).unwrap();
        let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(b"x").unwrap();
        let mut byte = [0];
        listener.accept().unwrap().0.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
        let taken = SocketAddr::from(([127, 0, 0, 1], port));
        let error = door.listen(taken, Carrier::Tcp).unwrap_err();
        assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
        drop(door);
        serving.join().unwrap();
    }
}

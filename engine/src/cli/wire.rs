//! The raw stream of `attach` and `exec`: after the upgrade it is just a socket.
//!
//! So it is used as one: a thread copies our stdin into it, another copies it to our stdout
//! and stderr, both with plain blocking calls. The runtime's thread stays free for signals.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use super::error::CliError;

/// What the bytes of the stream mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdio {
    /// A terminal's bytes, as they are.
    Raw,
    /// Frames of 8 + n bytes that say whether they are stdout or stderr.
    Multiplexed,
}

/// A connection that no longer speaks HTTP.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: Socket,
    /// What hyper had read beyond the answer's head.
    ahead: Vec<u8>,
    /// What the daemon says the bytes mean.
    pub(crate) stdio: Stdio,
}

#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(std::net::TcpStream),
}

impl Wire {
    /// Takes the socket back from hyper and makes it blocking.
    pub(crate) fn from_upgraded(upgraded: Upgraded, stdio: Stdio) -> Result<Self, CliError> {
        let failed = |source| CliError::Stream {
            doing: "take over the connection",
            source,
        };
        let (socket, ahead) = match upgraded.downcast::<TokioIo<tokio::net::UnixStream>>() {
            Ok(parts) => {
                let socket = parts.io.into_inner().into_std().map_err(failed)?;
                socket.set_nonblocking(false).map_err(failed)?;
                (Socket::Unix(socket), parts.read_buf)
            }
            Err(upgraded) => {
                let parts = upgraded
                    .downcast::<TokioIo<tokio::net::TcpStream>>()
                    .expect("the connection is the one this client opened");
                let socket = parts.io.into_inner().into_std().map_err(failed)?;
                socket.set_nonblocking(false).map_err(failed)?;
                (Socket::Tcp(socket), parts.read_buf)
            }
        };
        Ok(Self {
            socket,
            ahead: ahead.to_vec(),
            stdio,
        })
    }

    /// The two directions, one for each thread.
    pub(crate) fn split(self) -> Result<(Incoming, Outgoing), CliError> {
        let twin = match &self.socket {
            Socket::Unix(socket) => socket.try_clone().map(Socket::Unix),
            Socket::Tcp(socket) => socket.try_clone().map(Socket::Tcp),
        };
        let twin = twin.map_err(|source| CliError::Stream {
            doing: "duplicate the connection",
            source,
        })?;
        Ok((
            Incoming {
                socket: self.socket,
                ahead: self.ahead,
            },
            Outgoing(twin),
        ))
    }
}

/// What the daemon sends.
#[derive(Debug)]
pub(crate) struct Incoming {
    socket: Socket,
    ahead: Vec<u8>,
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(into.len());
            into[..count].copy_from_slice(&self.ahead[..count]);
            self.ahead.drain(..count);
            return Ok(count);
        }
        match &mut self.socket {
            Socket::Unix(socket) => socket.read(into),
            Socket::Tcp(socket) => socket.read(into),
        }
    }
}

/// What the daemon receives.
#[derive(Debug)]
pub(crate) struct Outgoing(Socket);

impl Outgoing {
    /// Sends everything.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Socket::Unix(socket) => socket.write_all(bytes),
            Socket::Tcp(socket) => socket.write_all(bytes),
        }
    }

    /// Says that nothing more will come: the container's stdin ends, its output goes on.
    pub(crate) fn end(&self) -> io::Result<()> {
        match &self.0 {
            Socket::Unix(socket) => socket.shutdown(Shutdown::Write),
            Socket::Tcp(socket) => socket.shutdown(Shutdown::Write),
        }
    }
}

//! A connection to a port of a machine, begun in the machine's network by its keeper.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use kernel::rights;
use serde::Deserialize;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// A keeper answers at once; a program that does not accept within this time is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The machine is not there.
    #[error("the machine's keeper cannot be reached")]
    Keeper(#[source] io::Error),
    /// It answers something else than a connection.
    #[error("the machine's keeper answers {0:?}")]
    Answer(String),
    /// Nobody listens.
    #[error("nobody listens on port {port} of the machine")]
    Refused {
        /// The port.
        port: u16,
        /// What the kernel said.
        source: io::Error,
    },
    /// Somebody listens and does not accept.
    #[error("port {0} of the machine does not accept")]
    Late(u16),
}

/// What a keeper answers to `{"open":"port"}`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Said {
    Connecting(bool),
    Refused(i32),
}

/// Connects to a port of the machine whose keeper listens at `keeper`: at 127.0.0.1, or else `::1`.
pub(super) async fn connect(keeper: &Path, port: u16) -> Result<TcpStream, ConnectError> {
    let first = timeout(PATIENCE, attempt(keeper, port, "v4")).await;
    match first {
        Ok(Err(ConnectError::Refused { source, .. })) => {
            match timeout(PATIENCE, attempt(keeper, port, "v6")).await {
                // The first answer is the one that a learner would see.
                Ok(Err(ConnectError::Refused { .. })) => {
                    Err(ConnectError::Refused { port, source })
                }
                second => second.unwrap_or(Err(ConnectError::Late(port))),
            }
        }
        first => first.unwrap_or(Err(ConnectError::Late(port))),
    }
}

async fn attempt(keeper: &Path, port: u16, family: &str) -> Result<TcpStream, ConnectError> {
    let refused = |source| ConnectError::Refused { port, source };
    let mut stream = UnixStream::connect(keeper)
        .await
        .map_err(ConnectError::Keeper)?;
    let line = serde_json::json!({ "open": "port", "port": port, "family": family });
    stream
        .write_all(format!("{line}\n").as_bytes())
        .await
        .map_err(ConnectError::Keeper)?;
    let (text, descriptor) = receive(&stream).await.map_err(ConnectError::Keeper)?;
    match (serde_json::from_str(&text), descriptor) {
        (Ok(Said::Connecting(true)), Some(socket)) => {
            let stream = std::net::TcpStream::from(socket);
            stream.set_nonblocking(true).map_err(ConnectError::Keeper)?;
            let stream = TcpStream::from_std(stream).map_err(ConnectError::Keeper)?;
            // Writable is what a connection becomes when it stands, and when it has failed.
            stream.writable().await.map_err(refused)?;
            if let Some(error) = stream.take_error().map_err(refused)? {
                return Err(refused(error));
            }
            let peer = stream.peer_addr().map_err(refused)?;
            // A machine's keeper is trusted no further than this.
            if peer.port() != port || !peer.ip().is_loopback() {
                return Err(ConnectError::Answer(peer.to_string()));
            }
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        (Ok(Said::Refused(errno)), None) => Err(refused(io::Error::from_raw_os_error(errno))),
        _ => Err(ConnectError::Answer(text)),
    }
}

/// One message with at most one descriptor.
async fn receive(stream: &UnixStream) -> io::Result<(String, Option<OwnedFd>)> {
    let mut buffer = [0; 256];
    let (count, mut descriptors) = stream
        .async_io(Interest::READABLE, || {
            rights::receive(stream.as_fd(), &mut buffer).map_err(|error| error.source)
        })
        .await?;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
    Ok((text, descriptors.pop()))
}

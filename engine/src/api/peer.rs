//! The other end of a connection: whether it is still there.
//!
//! An answer that lasts (logs that are followed, events, a wait) may have nothing to send for hours, so that nobody
//! would notice that its client has gone. The kernel knows: a socket whose other end is closed has hung up.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use kernel::poll::{self, Interest};

use crate::runtime::client::Outlet;
use crate::runtime::handshake::Framing;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// A second descriptor of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    socket: Option<Arc<OwnedFd>>,
    speech: Speech,
}

/// What goes over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// The bytes that we write, as they are.
    Plain,
    /// Something that only this process can make of them, such as TLS.
    Protected,
}

impl Peer {
    /// The other end of this connection; one that cannot be looked at counts as there.
    pub(crate) fn of(stream: &impl AsFd, speech: Speech) -> Self {
        let socket = stream.as_fd().try_clone_to_owned().ok().map(Arc::new);
        Self { socket, speech }
    }

    /// The connection for a shim to write to, where what it writes is what the other end reads.
    pub(crate) fn outlet(&self, framing: Framing) -> Option<Outlet> {
        let socket = self
            .socket
            .clone()
            .filter(|_| self.speech == Speech::Plain)?;
        Some(Outlet { socket, framing })
    }

    /// Returns once the other end is closed: not when it only has nothing more to send.
    pub(crate) async fn gone(self) {
        let Some(socket) = self.socket else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(PAUSE).await;
            let ready = poll::wait(&[(socket.as_fd(), Interest::Hangup)], Some(Duration::ZERO));
            if ready.is_ok_and(|ready| ready.iter().any(|ready| ready.hangup)) {
                return;
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or(Self {
            socket: None,
            speech: Speech::Protected,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    #[tokio::test]
    async fn a_client_that_only_stopped_sending_is_still_there() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        let gone = Peer::of(&ours, Speech::Plain).gone();
        let waited = tokio::time::timeout(PAUSE * 2, gone).await;
        assert!(waited.is_err(), "it goes on reading");
        drop(theirs);
        Peer::of(&ours, Speech::Plain).gone().await;
    }
}

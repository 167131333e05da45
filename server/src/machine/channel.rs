//! Messages with descriptors between two of our processes: one JSON document per packet.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kernel::error::SysError;
use kernel::rights;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One end of a pair.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// The socket failed.
    #[error("the channel failed")]
    Socket(#[from] SysError),
    /// The other side is gone.
    #[error("the other side of the channel ended")]
    Ended,
    /// It said something else than expected.
    #[error("unexpected message {text}")]
    Unexpected {
        /// What it said.
        text: String,
        /// Why that is none of the expected messages.
        source: serde_json::Error,
    },
    /// A message came without the descriptors that belong to it.
    #[error("expected {expected} descriptors, received {received}")]
    Descriptors {
        /// How many belong to the message.
        expected: usize,
        /// How many came.
        received: usize,
    },
}

/// The longest message.
const MAX: usize = 128 * 1024;

impl Channel {
    /// A connected pair.
    pub(crate) fn pair() -> Result<(Self, Self), ChannelError> {
        let (a, b) = rights::pair()?;
        Ok((Self(a), Self(b)))
    }

    /// The channel that this program inherited under a number; `None` when nothing is there.
    pub(crate) fn inherit(number: i32) -> Option<Self> {
        kernel::process::inherited(number).ok().map(Self)
    }

    /// Sends a message.
    pub(crate) fn send(&self, message: &impl Serialize) -> Result<(), ChannelError> {
        self.send_with(message, &[])
    }

    /// Sends a message with copies of `descriptors`.
    pub(crate) fn send_with(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), ChannelError> {
        let bytes = serde_json::to_vec(message).expect("messages have string keys only");
        rights::send(self.0.as_fd(), &bytes, descriptors)?;
        Ok(())
    }

    /// Waits for a message without descriptors.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> Result<T, ChannelError> {
        let (message, []) = self.receive_with()?;
        Ok(message)
    }

    /// Waits for a message with exactly `N` descriptors.
    pub(crate) fn receive_with<T: DeserializeOwned, const N: usize>(
        &self,
    ) -> Result<(T, [OwnedFd; N]), ChannelError> {
        let (message, descriptors) = self.receive_any()?;
        let received = descriptors.len();
        let descriptors = descriptors
            .try_into()
            .map_err(|_| ChannelError::Descriptors {
                expected: N,
                received,
            })?;
        Ok((message, descriptors))
    }

    /// Waits for a message with any number of descriptors.
    pub(crate) fn receive_any<T: DeserializeOwned>(
        &self,
    ) -> Result<(T, Vec<OwnedFd>), ChannelError> {
        let mut buffer = vec![0; MAX];
        let (n, descriptors) = rights::receive(self.0.as_fd(), &mut buffer)?;
        if n == 0 {
            return Err(ChannelError::Ended);
        }
        let message =
            serde_json::from_slice(&buffer[..n]).map_err(|source| ChannelError::Unexpected {
                text: String::from_utf8_lossy(&buffer[..n.min(200)]).into_owned(),
                source,
            })?;
        Ok((message, descriptors))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

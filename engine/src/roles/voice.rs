//! The socket between the shim and the processes it makes: words, some with descriptors.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kernel::error::SysError;
use kernel::rights;

use crate::runtime::handshake::{FromInit, GO, Refusal};

/// The end of a process on its way to the program.
#[derive(Debug)]
pub(super) struct Voice(OwnedFd);

/// The end of the shim.
#[derive(Debug)]
pub(super) struct Ear(OwnedFd);

/// Both ends.
pub(super) fn pair() -> Result<(Ear, Voice), SysError> {
    let (ours, theirs) = rights::pair()?;
    Ok((Ear(ours), Voice(theirs)))
}

impl Voice {
    /// Tells the shim, giving it these descriptors.
    pub(super) fn say(&self, word: &FromInit, with: &[BorrowedFd<'_>]) -> Result<(), SysError> {
        let bytes = serde_json::to_vec(word).expect("a word has string keys only");
        rights::send(self.0.as_fd(), &bytes, with).map(drop)
    }

    /// Tells the shim why it cannot be, and ends this process.
    pub(super) fn fail(&self, refusal: Refusal) -> ! {
        let code = refusal.code;
        // If the shim is gone too there is nobody to tell.
        let _ = self.say(&FromInit::Failed(refusal), &[]);
        kernel::process::exit(code)
    }

    /// Speaks over a connection that somebody else made.
    pub(super) fn over(connection: OwnedFd) -> Self {
        Self(connection)
    }

    /// Asks something, and waits for the answer: to go on. Ends this process if there is none.
    pub(super) fn ask(&self, question: &FromInit) {
        if self.say(question, &[]).is_err() || !self.wait_for_go() {
            kernel::process::exit(125);
        }
    }

    /// Waits until the shim says go; `false` when the shim is gone.
    pub(super) fn wait_for_go(&self) -> bool {
        let mut byte = [0];
        matches!(rights::receive(self.0.as_fd(), &mut byte), Ok((1, _)))
    }
}

impl Ear {
    /// Listens to whoever is at the other end of a connection.
    pub(super) fn over(connection: OwnedFd) -> Self {
        Self(connection)
    }

    /// Waits for the next word; `None` when nobody holds the other end any more.
    pub(super) fn listen(&self) -> Result<Option<(FromInit, Vec<OwnedFd>)>, SysError> {
        let mut buffer = vec![0; 32 << 10];
        let (n, descriptors) = rights::receive(self.0.as_fd(), &mut buffer)?;
        if n == 0 {
            return Ok(None);
        }
        let word = serde_json::from_slice(&buffer[..n])
            .map_err(|e| SysError::io("recvmsg", e.into()).on("a word of the init"))?;
        Ok(Some((word, descriptors)))
    }

    /// Lets the prepared program be executed.
    pub(super) fn go(&self) -> Result<(), SysError> {
        rights::send(self.0.as_fd(), GO, &[]).map(drop)
    }
}

//! Reads facts: one file per kind of object, nothing decided, nothing written.
//!
//! `machine` is the inner stage as it is seen from the outer one, with the list of the learner's
//! processes; `process`, `namespace`, `mount`, `file` and `ipc` read one process, `network` the
//! machine's listeners; `engine` asks the machine's engine through `socket`. Texts that learners choose are bounded by `bounds`
//! before they become values.

mod bounds;
pub mod engine;
mod file;
mod ipc;
mod machine;
mod mount;
mod namespace;
pub(crate) mod network;
mod process;
pub mod socket;

pub use machine::{Entry, Machine};
pub use process::ProcessProbe;

use kernel::error::SysError;

/// Why a fact could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The process ended while it was looked at.
    #[error("the process has ended")]
    Gone,
    /// The kernel refuses or the text is not what it should be.
    #[error("cannot read a fact")]
    Kernel(#[source] SysError),
}

impl From<SysError> for ProbeError {
    fn from(error: SysError) -> Self {
        // ENOENT: a zombie has no more `exe`, `cwd`, `root`; it is as good as gone.
        const ESRCH: i32 = 3;
        const ENOENT: i32 = 2;
        match error.source.raw_os_error() {
            Some(ESRCH | ENOENT) => Self::Gone,
            _ => Self::Kernel(error),
        }
    }
}

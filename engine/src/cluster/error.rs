//! Why the shared store did not do what it was asked.

use std::path::PathBuf;

/// A request of the shared store that failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No server answers. The last one's reason.
    #[error("the cluster store etcd://{server} cannot be reached: {why}")]
    Unreachable {
        /// `host:port`
        server: String,
        /// Why.
        why: String,
    },
    /// The store understood, and refused.
    #[error("the cluster store etcd://{server} refused {call}: {why}")]
    Refused {
        /// `host:port`
        server: String,
        /// What was asked: `kv/txn`.
        call: &'static str,
        /// Its words.
        why: String,
    },
    /// An answer that is none.
    #[error("the cluster store etcd://{server} answered {call} with something else: {source}")]
    Answer {
        /// `host:port`
        server: String,
        /// What was asked.
        call: &'static str,
        /// What is wrong with the answer.
        source: serde_json::Error,
    },
    /// What was watched is no longer remembered: everything has to be read again.
    #[error("the cluster store no longer remembers what changed")]
    Compacted,
    /// The lease of this engine has ended: others have forgotten it.
    #[error("this engine's lease in the cluster store has ended")]
    LeaseEnded,
    /// A certificate or key cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// TLS cannot be prepared.
    #[error("cannot prepare TLS with the cluster store: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client cannot be made.
    #[error("cannot prepare requests to the cluster store: {0}")]
    Http(reqwest::Error),
}

/// An error of HTTP with all that it says, in one line.
pub(super) fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = source.to_string();
        next = source.source();
    }
    text
}

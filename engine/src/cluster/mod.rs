//! A store that several engines share: etcd, spoken to through the JSON gateway of its v3 API.
//!
//! The gateway is served on etcd's own client port: the same keys, leases, transactions and watches as by gRPC, as
//! lines of JSON (<https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/>). This module knows nothing of networks.

mod client;
mod error;
mod tls;
mod watch;
mod wire;

pub use client::{Change, Client, Condition, Outcome, Snapshot};
pub use error::ClusterError;
pub use watch::{Event, Watch};
pub use wire::KeyValue;

use std::path::PathBuf;

/// Where the store is, and how to speak to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `host:port` of each server; any of them answers for all.
    pub servers: Vec<String>,
    /// Certificates, when it is spoken to with TLS.
    pub tls: Option<TlsFiles>,
}

/// PEM files for TLS between engine and store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authorities; without them the system's.
    pub authorities: Option<PathBuf>,
    /// The engine's own certificate and its key, where the store asks for one.
    pub own: Option<(PathBuf, PathBuf)>,
}

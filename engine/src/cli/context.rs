//! Which engine to talk to: `-H`, then `DOCKER_HOST`, then the usual socket.

use std::path::PathBuf;

use super::error::CliError;

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket in the file system.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

/// Where the daemon listens when nobody says otherwise.
pub(crate) const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

impl Endpoint {
    /// Reads `unix:///path`, `tcp://host:port` or `http://host:port`.
    pub(crate) fn parse(host: &str) -> Result<Self, CliError> {
        match host.split_once("://") {
            Some(("unix", "")) => Self::parse(DEFAULT_HOST),
            Some(("unix", path)) => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", address)) => {
                let address = address.trim_end_matches('/');
                let address = match address.strip_prefix(':') {
                    Some(port) => format!("127.0.0.1:{port}"),
                    None if address.is_empty() => "127.0.0.1:2375".to_owned(),
                    None if address.rsplit_once(':').is_none() => format!("{address}:2375"),
                    None => address.to_owned(),
                };
                Ok(Self::Tcp(address))
            }
            _ => Err(CliError::Said(format!(
                "Failed to initialize: unable to resolve docker endpoint: invalid bind address \
                 format: {host}: use unix:///PATH or tcp://HOST:PORT"
            ))),
        }
    }
}

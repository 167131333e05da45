//! Addresses that the engine listens on.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A socket file.
    Unix(PathBuf),
    /// An address and port.
    Tcp(String),
    /// A listening socket that was inherited.
    Fd(i32),
}

/// An address nobody can listen on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("unable to parse docker host {0:?}: expected unix:///PATH, tcp://IP:PORT or fd://N")]
pub struct BadHost(String);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Fd(number) => write!(f, "fd://{number}"),
        }
    }
}

impl FromStr for Host {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let bad = || BadHost(text.to_owned());
        match text.split_once("://").ok_or_else(bad)? {
            ("unix", "") => Ok(Self::Unix("/var/run/docker.sock".into())),
            ("unix", path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            ("tcp", address) if address.contains(':') => Ok(Self::Tcp(address.to_owned())),
            ("fd", number) => number
                .parse()
                .ok()
                .filter(|fd| *fd > 2)
                .map(Self::Fd)
                .ok_or_else(bad),
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        assert_eq!(
            "unix:///run/x.sock".parse::<Host>().unwrap(),
            Host::Unix("/run/x.sock".into())
        );
        assert_eq!(
            "tcp://127.0.0.1:2375".parse::<Host>().unwrap(),
            Host::Tcp("127.0.0.1:2375".into())
        );
        assert_eq!("fd://3".parse::<Host>().unwrap(), Host::Fd(3));
        for bad in ["", "unix://x", "tcp://x", "fd://", "fd://1", "http://x:1"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }
}

//! Addresses of daemons: `unix:///path`, `tcp://host:port`, `ssh://user@host`.

use std::path::PathBuf;

use super::super::error::CliError;

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket in the file system.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
    /// A daemon behind `ssh`.
    Ssh(Remote),
}

/// Whom `ssh` reaches, and which socket is meant there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    /// The user's name there, when the address says.
    pub(crate) user: Option<String>,
    /// The machine.
    pub(crate) host: String,
    /// The port, when the address says.
    pub(crate) port: Option<String>,
    /// The daemon's socket there, when it is not the usual one.
    pub(crate) socket: Option<String>,
}

/// Where the daemon listens when nobody says otherwise.
pub(crate) const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

impl Endpoint {
    /// Reads an address; a port that is not given is that of unprotected daemons.
    pub(crate) fn parse(host: &str) -> Result<Self, CliError> {
        Self::with_port(host, "2375")
    }

    /// Reads an address whose daemon expects TLS.
    pub(crate) fn parse_protected(host: &str) -> Result<Self, CliError> {
        Self::with_port(host, "2376")
    }

    fn with_port(host: &str, port: &str) -> Result<Self, CliError> {
        let refuse = || CliError::Said(format!("invalid bind address format: {host}"));
        match host.split_once("://") {
            Some(("unix", "")) => Self::with_port(DEFAULT_HOST, port),
            Some(("unix", path)) => Ok(Self::Unix(path.into())),
            Some(("tcp", address)) => tcp(address, port),
            Some(("ssh", address)) => ssh(address),
            Some(_) => Err(refuse()),
            None => tcp(host, port),
        }
    }

    /// The address as messages show it: completed where the user left something out.
    pub(crate) fn shown(&self, given: &str) -> String {
        match self {
            Self::Unix(path) if given == "unix://" => format!("unix://{}", path.display()),
            Self::Tcp(address) => format!("tcp://{address}"),
            _ => given.to_owned(),
        }
    }
}

fn tcp(address: &str, port: &str) -> Result<Endpoint, CliError> {
    // What follows the port is of no use to a daemon.
    let address = address.split('/').next().unwrap_or_default();
    if address.contains([' ', '\t']) {
        return Err(CliError::Said(format!(
            "parse \"tcp://{address}\": invalid character \" \" in host name"
        )));
    }
    let bare_v6 = address.starts_with('[') && address.ends_with(']');
    let (host, given) = match address.rsplit_once(':') {
        Some((host, port)) if !bare_v6 => (host, Some(port)),
        _ => (address, None),
    };
    if let Some(given) = given.filter(|port| port.parse::<u16>().is_err()) {
        return Err(CliError::Said(format!(
            "parse \"tcp://{address}\": invalid port \":{given}\" after host"
        )));
    }
    let host = if host.is_empty() { "localhost" } else { host };
    Ok(Endpoint::Tcp(format!("{host}:{}", given.unwrap_or(port))))
}

fn ssh(address: &str) -> Result<Endpoint, CliError> {
    let refuse = |why: &str| {
        CliError::Said(format!(
            "ssh host connection is not valid: invalid SSH URL: {why}"
        ))
    };
    let (authority, path) = match address.split_once('/') {
        Some((authority, path)) => (authority, path),
        None => (address, ""),
    };
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err(refuse("plain-text password is not supported"));
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !place.ends_with(']') => (host, Some(port.to_owned())),
        _ => (place, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(refuse("hostname is empty"));
    }
    // `ssh` would take it for an option.
    if host.starts_with('-') || user.is_some_and(|user| user.starts_with('-')) {
        return Err(refuse("a name must not begin with \"-\""));
    }
    Ok(Endpoint::Ssh(Remote {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        socket: (!path.is_empty()).then(|| format!("unix:///{path}")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, expected: Endpoint) {
        assert_eq!(Endpoint::parse(given).unwrap(), expected, "{given}");
    }

    #[test]
    fn what_is_left_out_is_completed() {
        let tcp = |text: &str| Endpoint::Tcp(text.to_owned());
        check("unix://", Endpoint::Unix("/var/run/docker.sock".into()));
        check("unix:///x", Endpoint::Unix("/x".into()));
        check("tcp://", tcp("localhost:2375"));
        check("tcp://h", tcp("h:2375"));
        check("tcp://h:1/", tcp("h:1"));
        check(":1", tcp("localhost:1"));
        check("h:1", tcp("h:1"));
        check("tcp://[::1]:9", tcp("[::1]:9"));
        check("tcp://[::1]", tcp("[::1]:2375"));
        assert_eq!(Endpoint::parse_protected("tcp://h").unwrap(), tcp("h:2376"));
    }

    #[test]
    fn ssh_has_a_user_a_port_and_a_socket() {
        check(
            "ssh://u@h:22/run/d.sock",
            Endpoint::Ssh(Remote {
                user: Some("u".into()),
                host: "h".into(),
                port: Some("22".into()),
                socket: Some("unix:///run/d.sock".into()),
            }),
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (given, why) in [
            ("http://a:1", "invalid bind address format: http://a:1"),
            ("tcp://h:x", "invalid port \":x\" after host"),
            ("a b", "invalid character \" \" in host name"),
            ("ssh://", "hostname is empty"),
            ("ssh://u:p@h", "plain-text password is not supported"),
            ("ssh://-oProxyCommand=x", "must not begin with \"-\""),
        ] {
            let error = Endpoint::parse(given).unwrap_err().to_string();
            assert!(error.contains(why), "{given}: {error}");
        }
    }
}

//! Host names of published ports: `<machine>-<port>.<domain>`.

use std::fmt;
use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::machine::identity::MachineId;

/// A port of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    /// Which machine.
    pub(crate) machine: MachineId,
    /// TCP port inside it.
    pub(crate) port: u16,
}

/// The name below which all published ports are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Domain(String);

/// A text that cannot be such a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a domain name")]
pub(crate) struct NotADomain(String);

impl Domain {
    /// The names that browsers take for this very host without asking anybody (RFC 6761).
    pub(crate) fn localhost() -> Self {
        Self("localhost".to_owned())
    }

    /// Reads a configured name. An address is none: nothing can be below it.
    pub(crate) fn parse(text: &str) -> Result<Self, NotADomain> {
        let name = text.to_ascii_lowercase();
        let label = |label: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(plain)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let good = name.len() <= 200
            && name.split('.').all(label)
            && name.parse::<IpAddr>().is_err()
            && !name.ends_with(|c: char| c.is_ascii_digit());
        if good {
            Ok(Self(name))
        } else {
            Err(NotADomain(text.to_owned()))
        }
    }

    /// The host name of a published port.
    pub(crate) fn host(&self, address: &Address) -> String {
        format!("{address}.{}", self.0)
    }

    /// The port of a machine that `Host` names; `None` when it names anything else, or is not there
    /// exactly once.
    pub(crate) fn address(&self, headers: &HeaderMap) -> Option<Address> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (host, None) = (hosts.next()?.to_str().ok()?, hosts.next()) else {
            return None;
        };
        let name = match host.split_once(':') {
            Some((name, port)) => port.parse::<u16>().is_ok().then_some(name)?,
            None => host,
        };
        let name = name.to_ascii_lowercase();
        let label = name.strip_suffix(&self.0)?.strip_suffix('.')?;
        Address::parse(label)
    }
}

impl Address {
    fn parse(label: &str) -> Option<Self> {
        let (machine, digits) = label.rsplit_once('-')?;
        // One spelling per port: another one would be another origin of the same page.
        if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            machine: MachineId::parse(machine)?,
            port: digits.parse().ok()?,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.machine, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(host: &str) -> Option<u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        Domain::localhost().address(&headers).map(|a| a.port)
    }

    #[test]
    fn a_name_is_written_as_it_is_read() {
        let address = Address {
            machine: MachineId::parse("m-0123456789ab").unwrap(),
            port: 8000,
        };
        let host = Domain::localhost().host(&address);
        assert_eq!(host, "m-0123456789ab-8000.localhost");
        assert_eq!(find(&host), Some(8000));
        assert_eq!(find(&format!("{host}:8080")), Some(8000));
        assert_eq!(find("M-0123456789AB-8000.LOCALHOST:1"), Some(8000));
    }

    #[test]
    fn what_names_no_machine_is_the_platforms_business() {
        for host in [
            "localhost",
            "127.0.0.1:8080",
            "m-0123456789ab-8000.localhost.evil.example",
            "m-0123456789ab-8000.evil.example",
            "m-0123456789ab-8000",
            "x.m-0123456789ab-8000.localhost",
            "m-0123456789ab-0.localhost",
            "m-0123456789ab-08000.localhost",
            "m-0123456789ab-+80.localhost",
            "m-0123456789ab-65536.localhost",
            "m-0123456789ab-8000.localhost:80:80",
            "m-0123456789ab-8000.localhost:x",
            "m-0123456789ab-8000.localhost.",
            "m-0123456789abc-8000.localhost",
        ] {
            assert_eq!(find(host), None, "{host}");
        }
    }

    #[test]
    fn two_hosts_are_none() {
        let mut headers = HeaderMap::new();
        for _ in 0..2 {
            headers.append(header::HOST, "m-0123456789ab-80.localhost".parse().unwrap());
        }
        assert_eq!(Domain::localhost().address(&headers), None);
    }

    #[test]
    fn a_domain_is_a_name_and_no_address() {
        assert!(Domain::parse("tp.ecole.example").is_ok());
        for text in ["", "127.0.0.1", "::1", "a..b", "-a.b", "a/b", "a b", "x.1"] {
            assert!(Domain::parse(text).is_err(), "{text}");
        }
    }
}

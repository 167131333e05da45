//! What a binding of `-p` means: which places on the host lead to which of a container's addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use crate::api::types::PortBinding;
use crate::network::ports::Protocol;

use super::super::DaemonError;

/// Of which families a port is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Families {
    /// Of those that the container has.
    Own,
    /// Of both: the engine relays what the container has not.
    Both,
}

/// The container's address that a place on the host leads to: of its family, or else any.
pub(super) fn leads_to(
    own: &[(IpAddr, Option<IpAddr>)],
    host: IpAddr,
) -> Option<&(IpAddr, Option<IpAddr>)> {
    own.iter()
        .find(|(address, _)| address.is_ipv4() == host.is_ipv4())
        .or_else(|| own.first())
}

/// Where a binding is reached on the host, and the container's address it leads to.
pub(super) fn places(
    binding: &PortBinding,
    own: &[(IpAddr, Option<IpAddr>)],
    families: Families,
) -> Result<Vec<(IpAddr, IpAddr)>, DaemonError> {
    let any = |like: IpAddr| match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    if binding.host_ip.is_empty() {
        let usual = own.first().and_then(|(_, usual)| *usual);
        let everywhere = own.iter().filter_map(|(address, _)| match usual {
            Some(host) if host.is_ipv4() == address.is_ipv4() => Some((host, *address)),
            // A network that publishes at one address of one family publishes at no other.
            Some(host) if !host.is_unspecified() => None,
            _ => Some((any(*address), *address)),
        });
        let mut all: Vec<_> = everywhere.collect();
        if let (Families::Both, [(host, address)]) = (families, all.as_slice())
            && host.is_unspecified()
        {
            let other: IpAddr = match host {
                IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED.into(),
            };
            all.push((other, *address));
        }
        return Ok(all);
    }
    let host: IpAddr = binding
        .host_ip
        .parse()
        .map_err(|_| DaemonError::Invalid(format!("invalid IP address: {}", binding.host_ip)))?;
    let leads = leads_to(own, host)
        .filter(|(a, _)| families == Families::Both || a.is_ipv4() == host.is_ipv4());
    match leads {
        Some((address, _)) => Ok(vec![(host, *address)]),
        None => Err(DaemonError::Invalid(format!(
            "cannot publish at {host}: the container has no {} address",
            if host.is_ipv4() { "IPv4" } else { "IPv6" }
        ))),
    }
}

/// A port, a range, or nothing for any.
pub(super) fn host_ports(text: &str) -> Result<RangeInclusive<u16>, DaemonError> {
    if text.is_empty() {
        return Ok(0..=0);
    }
    let bad = |_| DaemonError::Invalid(format!("invalid port specification: {text:?}"));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Ok(first.parse().map_err(bad)?..=last.parse().map_err(bad)?)
}

/// `80/tcp`; without a protocol it is TCP.
pub(super) fn parse_port(text: &str) -> Result<(u16, Protocol), DaemonError> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let bad = || DaemonError::Invalid(format!("invalid port specification: {text:?}"));
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(bad)?;
    Ok((port, Protocol::parse(protocol).ok_or_else(bad)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(host_ip: &str, usual: Option<&str>, expected: &[&str]) {
        let own = ["172.18.0.2", "fd00::2"].map(|own| (ip(own), usual.map(ip)));
        let binding = PortBinding {
            host_ip: host_ip.into(),
            ..PortBinding::default()
        };
        let told: Vec<_> = places(&binding, &own, Families::Both)
            .unwrap()
            .into_iter()
            .map(|(host, _)| host.to_string())
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_port_is_published_for_each_family() {
        check("", None, &["0.0.0.0", "::"]);
        check("", Some("0.0.0.0"), &["0.0.0.0", "::"]);
        check("", Some("127.0.0.1"), &["127.0.0.1"]);
        check("::1", None, &["::1"]);
        check("0.0.0.0", Some("127.0.0.1"), &["0.0.0.0"]);
    }

    #[test]
    fn a_container_without_ipv6_is_relayed_to() {
        let own = [(ip("172.18.0.2"), None)];
        let binding = |host_ip: &str| PortBinding {
            host_ip: host_ip.into(),
            ..PortBinding::default()
        };
        let hosts = |host_ip, families| {
            let found = places(&binding(host_ip), &own, families).ok()?;
            let hosts = found.into_iter().map(|(host, _)| host.to_string());
            Some(hosts.collect::<Vec<_>>())
        };
        let told = |all: &[&str]| Some(all.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(hosts("", Families::Both), told(&["0.0.0.0", "::"]));
        assert_eq!(hosts("", Families::Own), told(&["0.0.0.0"]));
        assert_eq!(hosts("::1", Families::Both), told(&["::1"]));
        assert_eq!(hosts("::1", Families::Own), None);
    }

    #[test]
    fn host_ports_are_a_number_or_a_range() {
        assert_eq!(host_ports("").unwrap(), 0..=0);
        assert_eq!(host_ports("9000-9010").unwrap(), 9000..=9010);
        assert!(host_ports("x").is_err());
        assert!(parse_port("0/tcp").is_err());
        assert_eq!(parse_port("53/UDP").unwrap(), (53, Protocol::Udp));
    }
}

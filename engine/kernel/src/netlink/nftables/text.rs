//! Rules as `nft list` writes them.

use std::fmt;
use std::net::IpAddr;

use super::{Action, Chain, Hook, Match, Place, Rule, Table};

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            super::Family::Ip => "ip",
            super::Family::Inet => "inet",
        };
        writeln!(f, "table {family} {} {{", self.name)?;
        for chain in &self.chains {
            write!(f, "{chain}")?;
        }
        writeln!(f, "}}")
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\tchain {} {{", self.name)?;
        if self.hook != Hook::Called {
            writeln!(f, "\t\t{}", self.hook)?;
        }
        for rule in &self.rules {
            writeln!(f, "\t\t{rule}")?;
        }
        writeln!(f, "\t}}")
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Called => "",
            Self::Arrival => "type filter hook prerouting priority raw; policy accept;",
            Self::Prerouting => "type nat hook prerouting priority dstnat; policy accept;",
            Self::Input => "type filter hook input priority filter; policy accept;",
            Self::Output => "type nat hook output priority dstnat; policy accept;",
            Self::Sending => "type filter hook output priority filter; policy accept;",
            Self::Postrouting => "type nat hook postrouting priority srcnat; policy accept;",
            Self::Forward => "type filter hook forward priority filter; policy accept;",
            Self::Leaving => "type filter hook output priority raw; policy accept;",
            Self::Left => "type filter hook output priority 300; policy accept;",
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut protocol = None;
        for condition in &self.matches {
            match condition {
                // It is written with the port, in one word.
                Match::Protocol(number) => protocol = Some(*number),
                Match::Port(port) => write!(f, "{} dport {port} ", name(protocol.take()))?,
                Match::SourcePort(port) => write!(f, "{} sport {port} ", name(protocol.take()))?,
                other => write!(f, "{other} ")?,
            }
        }
        if let Some(number) = protocol {
            write!(f, "meta l4proto {} ", name(Some(number)))?;
        }
        write!(f, "{}", self.action)
    }
}

fn name(protocol: Option<u8>) -> String {
    match protocol {
        Some(6) => "tcp".to_owned(),
        Some(17) => "udp".to_owned(),
        Some(132) => "sctp".to_owned(),
        Some(number) => number.to_string(),
        None => "th".to_owned(),
    }
}

fn family(address: &IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "ip",
        IpAddr::V6(_) => "ip6",
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(address, prefix) => {
                write!(f, "{} saddr {address}/{prefix}", family(address))
            }
            Self::NotSource(address) => write!(f, "{} saddr != {address}", family(address)),
            Self::Destination(address) => write!(f, "{} daddr {address}", family(address)),
            Self::DestinationIn(address, prefix) => {
                write!(f, "{} daddr {address}/{prefix}", family(address))
            }
            Self::DestinationLocal => f.write_str("fib daddr type local"),
            Self::SameFamily(IpAddr::V4(_)) => f.write_str("meta nfproto ipv4"),
            Self::SameFamily(IpAddr::V6(_)) => f.write_str("meta nfproto ipv6"),
            Self::Input(name) => write!(f, "iifname \"{name}\""),
            Self::NotInput(name) => write!(f, "iifname != \"{name}\""),
            Self::Output(name) => write!(f, "oifname \"{name}\""),
            Self::NotOutput(name) => write!(f, "oifname != \"{name}\""),
            Self::OutputPrefix(prefix) => write!(f, "oifname \"{prefix}*\""),
            Self::Unasked => f.write_str("ct state != established,related"),
            Self::Known => f.write_str("ct state established,related"),
            Self::Translated => f.write_str("ct status dnat"),
            Self::Protocol(number) => write!(f, "meta l4proto {}", name(Some(*number))),
            Self::Port(port) => write!(f, "th dport {port}"),
            Self::SourcePort(port) => write!(f, "th sport {port}"),
            Self::Refused(port) => {
                write!(
                    f,
                    "icmp code port-unreachable @th,136,8 17 @th,240,16 {port}"
                )
            }
            Self::Mark(mark) => write!(f, "meta mark {mark:#010x}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Translate(address @ IpAddr::V4(_), port) => {
                write!(f, "dnat ip to {address}:{port}")
            }
            Self::Translate(address, port) => write!(f, "dnat ip6 to [{address}]:{port}"),
            Self::TranslateSource(address) => write!(f, "snat {} to {address}", family(address)),
            Self::Write(Place::Destination(protocol), port) => {
                write!(f, "{} dport set {port}", name(Some(*protocol)))
            }
            Self::Write(Place::Source(protocol), port) => {
                write!(f, "{} sport set {port}", name(Some(*protocol)))
            }
            Self::Write(Place::Refused, port) => write!(f, "@th,240,16 set {port}"),
            Self::Masquerade => f.write_str("masquerade"),
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(matches: Vec<Match>, action: Action, text: &str) {
        assert_eq!(Rule { matches, action }.to_string(), text);
    }

    #[test]
    fn rules_read_like_nft() {
        let container: IpAddr = "172.17.0.2".parse().unwrap();
        check(
            vec![Match::Protocol(6), Match::Port(8080)],
            Action::Translate(container, 80),
            "tcp dport 8080 dnat ip to 172.17.0.2:80",
        );
        check(
            vec![
                Match::Source("fd00::".parse().unwrap(), 64),
                Match::NotOutput("br-a".into()),
            ],
            Action::Masquerade,
            "ip6 saddr fd00::/64 oifname != \"br-a\" masquerade",
        );
        check(
            vec![Match::Protocol(17), Match::SourcePort(33000)],
            Action::Write(Place::Source(17), 53),
            "udp sport 33000 udp sport set 53",
        );
    }
}

//! Published ports and masquerading: one NAT table, always replaced whole.

use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};

use kernel::netlink::nftables::{self, Action, Chain, Hook, Match, Rule, Table};
use serde::{Deserialize, Serialize};

use super::bridge::{BridgeNetwork, Reach};
use super::inside::{Namespace, inside};
use super::{NetworkError, step};
use crate::stage::Stage;

/// A port of the stage that leads to a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Publication {
    /// Address on the stage's side; unspecified means all.
    pub host_address: Ipv4Addr,
    /// Port on the stage's side.
    pub host_port: u16,
    /// The container.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// Which protocol.
    pub protocol: Protocol,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// The table of the engine; learners read it with `nft list ruleset`.
pub const TABLE: &str = "docker-bridges";

/// Decides the rules for all networks and publications: pure.
pub fn plan(networks: &[BridgeNetwork], publications: &[Publication]) -> Table {
    let chain = |name, hook, rules| Chain { name, hook, rules };
    let translate: Vec<_> = publications.iter().map(publish).collect();
    let chains = vec![
        chain("prerouting", Hook::Prerouting, translate.clone()),
        chain("output", Hook::Output, translate),
        chain("postrouting", Hook::Postrouting, masquerade(networks)),
        chain("forward", Hook::Forward, separate(networks)),
    ];
    Table {
        name: TABLE.to_owned(),
        chains,
    }
}

/// Puts the rules in place of the old ones, in one step.
pub fn apply(
    stage: &Stage,
    networks: &[BridgeNetwork],
    publications: &[Publication],
) -> Result<(), NetworkError> {
    let table = plan(networks, publications);
    inside(&Namespace::of_stage(stage)?, || {
        nftables::replace(&table).map_err(step("set the rules of published ports"))
    })
}

/// Removes every rule of the engine.
pub fn clear(stage: &Stage) -> Result<(), NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        nftables::delete(TABLE).map_err(step("remove the rules of published ports"))
    })
}

/// A port of the stage that nobody listens on: the one asked for, or with 0 any.
pub fn find_free(
    stage: &Stage,
    address: Ipv4Addr,
    port: u16,
    protocol: Protocol,
) -> Result<u16, NetworkError> {
    let wanted = SocketAddrV4::new(address, port);
    inside(&Namespace::of_stage(stage)?, || {
        let found = match protocol {
            Protocol::Tcp => TcpListener::bind(wanted).and_then(|socket| socket.local_addr()),
            Protocol::Udp => UdpSocket::bind(wanted).and_then(|socket| socket.local_addr()),
        };
        match found {
            Ok(address) => Ok(address.port()),
            Err(e) if e.kind() == ErrorKind::AddrInUse => Err(NetworkError::PortTaken {
                address: wanted,
                protocol,
            }),
            Err(e) => {
                let source = kernel::error::SysError::io("bind", e).on(wanted.to_string());
                Err(step(format!("look for a free port at {wanted}"))(source))
            }
        }
    })
}

fn publish(publication: &Publication) -> Rule {
    let mut matches = vec![match publication.host_address {
        Ipv4Addr::UNSPECIFIED => Match::DestinationLocal,
        address => Match::Destination(address),
    }];
    matches.push(Match::Protocol(match publication.protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    }));
    matches.push(Match::Port(publication.host_port));
    Rule {
        matches,
        action: Action::Translate(publication.address, publication.port),
    }
}

fn masquerade(networks: &[BridgeNetwork]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for network in networks {
        let subnet = Match::Source(network.subnet.address(), network.subnet.prefix());
        let name = || network.interface.clone();
        if network.reach == Reach::Outside {
            rules.push(Rule {
                matches: vec![subnet, Match::NotOutput(name())],
                action: Action::Masquerade,
            });
        }
        // A connection to a published port from 127.0.0.1 must come back to somewhere.
        rules.push(Rule {
            matches: vec![
                Match::Source(Ipv4Addr::new(127, 0, 0, 0), 8),
                Match::Output(name()),
            ],
            action: Action::Masquerade,
        });
    }
    rules
}

/// Networks do not see each other, and an internal one sees nothing else.
fn separate(networks: &[BridgeNetwork]) -> Vec<Rule> {
    let drop_between = |matches| Rule {
        matches,
        action: Action::Drop,
    };
    let mut rules = Vec::new();
    for from in networks {
        if from.reach == Reach::Internal {
            let name = || from.interface.clone();
            rules.push(drop_between(vec![
                Match::Input(name()),
                Match::NotOutput(name()),
            ]));
            continue;
        }
        for to in networks.iter().filter(|to| *to != from) {
            rules.push(drop_between(vec![
                Match::Input(from.interface.clone()),
                Match::Output(to.interface.clone()),
            ]));
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(interface: &str, subnet: &str, reach: Reach) -> BridgeNetwork {
        let subnet: crate::network::ipam::Subnet = subnet.parse().unwrap();
        BridgeNetwork {
            interface: interface.to_owned(),
            subnet,
            gateway: subnet.first_host(),
            reach,
        }
    }

    #[test]
    fn an_internal_network_is_not_masqueraded() {
        let networks = [network("br-a", "10.0.0.0/24", Reach::Internal)];
        let table = plan(&networks, &[]);
        let subnet = Match::Source(Ipv4Addr::new(10, 0, 0, 0), 24);
        let rules = table.chains.iter().flat_map(|chain| &chain.rules);
        assert!(rules.clone().count() > 0);
        assert!(!rules.clone().any(|rule| rule.matches.contains(&subnet)));
        assert!(rules.clone().any(|rule| rule.action == Action::Drop));
    }

    #[test]
    fn two_networks_are_separated_both_ways() {
        let networks = [
            network("br-a", "10.0.0.0/24", Reach::Outside),
            network("br-b", "10.0.1.0/24", Reach::Outside),
        ];
        assert_eq!(separate(&networks).len(), 2);
    }

    #[test]
    fn a_publication_translates_what_comes_in_and_what_starts_here() {
        let publication = Publication {
            host_address: Ipv4Addr::UNSPECIFIED,
            host_port: 8080,
            address: Ipv4Addr::new(172, 17, 0, 2),
            port: 80,
            protocol: Protocol::Tcp,
        };
        let table = plan(&[], &[publication]);
        assert_eq!(table.chains[0].rules, table.chains[1].rules);
        assert!(
            table.chains[0].rules[0]
                .matches
                .contains(&Match::Port(8080))
        );
    }
}

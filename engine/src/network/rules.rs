//! The packet rules of all bridge networks and published ports: one table, decided whole and replaced in one step.
//!
//! Each rule knows its purpose, so that `quai network rules` tells a learner why it is there. No rule of the host is
//! touched: the table is the engine's own, and what it accepts others may still drop.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use kernel::netlink::nftables::{self, Action, Chain, Family, Hook, Match, Rule, Table, Watch};
use serde::{Deserialize, Serialize};

use super::bridge::{BridgeNetwork, Masquerade, Reach};
use super::inside::{Namespace, inside};
use super::ports::Publication;
use super::{NetworkError, step};
use crate::stage::Stage;

/// The table of the engine; learners read it with `nft list ruleset`.
pub const TABLE: &str = "docker-bridges";

/// What a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Purpose {
    /// Packets for this host itself are looked up among the published ports.
    Lookup,
    /// A published port leads to its container.
    Publish {
        /// Where it is reached.
        host: String,
        /// `tcp`, `udp` or `sctp`.
        protocol: String,
        /// The container's side.
        container: String,
    },
    /// What leaves a network seems to come from the host.
    Masquerade {
        /// Its interface.
        network: String,
        /// Its subnet.
        subnet: String,
    },
    /// Containers of a network reach its published ports through the host.
    Hairpin {
        /// Its interface.
        network: String,
    },
    /// The host itself reaches published ports at 127.0.0.1.
    Localhost {
        /// Interface of the network.
        network: String,
    },
    /// Containers do not reach what listens on the host's loopback.
    Guard {
        /// Interface of the network.
        network: String,
    },
    /// What belongs to a known connection passes.
    Answers,
    /// What was sent to a published port passes.
    Published,
    /// From outside a network only published ports are reached.
    Separate {
        /// Its interface.
        network: String,
    },
    /// An internal network reaches nothing else.
    Internal {
        /// Its interface.
        network: String,
    },
}

/// A rule, where it is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Name of its chain.
    pub chain: &'static str,
    /// Why.
    pub purpose: Purpose,
    /// What.
    pub rule: Rule,
}

/// The chains; one that others jump to comes first.
const CHAINS: [(&str, Hook); 6] = [
    ("published", Hook::Called),
    ("arrival", Hook::Arrival),
    ("prerouting", Hook::Prerouting),
    ("output", Hook::Output),
    ("postrouting", Hook::Postrouting),
    ("forward", Hook::Forward),
];

/// Decides the rules for all networks and publications: pure.
pub fn plan(networks: &[BridgeNetwork], publications: &[Publication]) -> Vec<Planned> {
    let translated = publications.iter().filter(|p| !p.is_relayed());
    let mut rules: Vec<Planned> = translated.map(publish).collect();
    if !rules.is_empty() {
        rules.extend(["prerouting", "output"].map(|chain| Planned {
            chain,
            purpose: Purpose::Lookup,
            rule: Rule {
                matches: vec![Match::DestinationLocal],
                action: Action::Jump("published"),
            },
        }));
    }
    rules.extend(networks.iter().flat_map(translate));
    rules.extend(forward(networks));
    rules
}

/// The table that holds them.
pub fn table(rules: &[Planned]) -> Table {
    let chain = |(name, hook)| Chain {
        name,
        hook,
        rules: rules
            .iter()
            .filter(|planned| planned.chain == name)
            .map(|planned| planned.rule.clone())
            .collect(),
    };
    Table {
        family: Family::Inet,
        name: TABLE.to_owned(),
        chains: CHAINS.map(chain).to_vec(),
    }
}

/// Whether the table of a former engine may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Whatever has the table's name goes.
    First,
    /// This engine made the table: only its rules change.
    Later,
}

/// Puts the rules in place of the old ones, in one step.
pub fn apply(stage: &Stage, rules: &[Planned], change: Change) -> Result<(), NetworkError> {
    let table = table(rules);
    inside(&Namespace::of_stage(stage)?, || {
        let done = match change {
            Change::First => nftables::replace(&table),
            // Somebody in the machine may have changed or removed it.
            Change::Later => match nftables::refill(&table) {
                Ok(old) => {
                    // A start does not wait until the old rules are freed. Without a thread they are dropped here.
                    let _ = std::thread::Builder::new().spawn(move || drop(old));
                    Ok(())
                }
                Err(_) => nftables::replace(&table),
            },
        };
        done.map_err(step("set the rules of networks and published ports"))
    })
}

/// Calls `gone` whenever somebody else removed the table, for good: a firewall that is loaded anew flushes everything.
/// Returns only when it cannot listen any more.
pub fn guard(stage: &Stage, gone: impl Fn() + Send + Sync) -> Result<(), NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        let watch = Watch::begin().map_err(step("watch the rules"))?;
        loop {
            watch
                .removed(Family::Inet, TABLE)
                .map_err(step("watch the rules"))?;
            // The engine removes its own table only to put another in its place, in the same step.
            let left = nftables::list(Family::Inet, TABLE).map_err(step("read the rules"))?;
            if left.is_empty() {
                gone();
            }
        }
    })
}

/// Removes every rule of the engine.
pub fn clear(stage: &Stage) -> Result<(), NetworkError> {
    inside(&Namespace::of_stage(stage)?, || {
        nftables::delete_of(Family::Inet, TABLE)
            .map_err(step("remove the rules of networks and published ports"))
    })
}

/// What a rule of the plan has counted, if it is still in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LiveRule {
    /// Name of its chain.
    pub chain: String,
    /// Why.
    pub purpose: Purpose,
    /// As `nft` writes it.
    pub text: String,
    /// Packets that met it; `None` when somebody has removed the rule.
    pub packets: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
}

/// The rules as the kernel has them now.
pub fn list(stage: &Stage, rules: &[Planned]) -> Result<Vec<LiveRule>, NetworkError> {
    let live = inside(&Namespace::of_stage(stage)?, || {
        nftables::list(Family::Inet, TABLE).map_err(step("read the rules of networks"))
    })?;
    let mut by_chain: BTreeMap<&str, std::collections::VecDeque<_>> = BTreeMap::new();
    for rule in &live {
        by_chain.entry(&rule.chain).or_default().push_back(rule);
    }
    // Chain by chain, as the kernel shows them.
    let ordered = CHAINS
        .iter()
        .flat_map(|(name, _)| rules.iter().filter(move |planned| planned.chain == *name));
    let told = ordered.map(|planned| {
        let found = by_chain
            .get_mut(planned.chain)
            .and_then(std::collections::VecDeque::pop_front);
        LiveRule {
            chain: planned.chain.to_owned(),
            purpose: planned.purpose.clone(),
            text: planned.rule.to_string(),
            packets: found.and_then(|rule| rule.packets),
            bytes: found.and_then(|rule| rule.bytes),
        }
    });
    Ok(told.collect())
}

fn publish(publication: &Publication) -> Planned {
    let host = match publication.host_address {
        address if address.is_unspecified() => Match::SameFamily(address),
        address => Match::Destination(address),
    };
    Planned {
        chain: "published",
        purpose: Purpose::Publish {
            host: publication.host().to_string(),
            protocol: publication.protocol.to_string(),
            container: std::net::SocketAddr::new(publication.address, publication.port).to_string(),
        },
        rule: Rule {
            matches: vec![
                host,
                Match::Protocol(publication.protocol.number()),
                Match::Port(publication.host_port),
            ],
            action: Action::Translate(publication.address, publication.port),
        },
    }
}

/// What happens to the addresses of packets that leave a network or come to it.
fn translate(network: &BridgeNetwork) -> Vec<Planned> {
    const LOOPBACK: (IpAddr, u8) = (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8);
    let name = || network.settings.interface.clone();
    let mut rules = Vec::new();
    let mut add = |chain, purpose, matches, action| {
        rules.push(Planned {
            chain,
            purpose,
            rule: Rule { matches, action },
        });
    };
    if network.reach == Reach::Internal {
        return rules;
    }
    for addressing in &network.addressing {
        let subnet = Match::Source(addressing.subnet.address(), addressing.subnet.prefix());
        if network.settings.masquerade == Masquerade::On {
            let purpose = Purpose::Masquerade {
                network: name(),
                subnet: addressing.subnet.to_string(),
            };
            let matches = vec![subnet.clone(), Match::NotOutput(name())];
            add("postrouting", purpose, matches, Action::Masquerade);
        }
        let matches = vec![subnet, Match::Output(name()), Match::Translated];
        let purpose = Purpose::Hairpin { network: name() };
        add("postrouting", purpose, matches, Action::Masquerade);
        if addressing.gateway.is_ipv4() {
            // A connection from 127.0.0.1 must come back to somewhere, and the bridge accepts packets for 127.0.0.0/8
            // for its sake: none may come from a container.
            let matches = vec![Match::Source(LOOPBACK.0, LOOPBACK.1), Match::Output(name())];
            let purpose = Purpose::Localhost { network: name() };
            add("postrouting", purpose, matches, Action::Masquerade);
            let matches = vec![
                Match::Input(name()),
                Match::DestinationIn(LOOPBACK.0, LOOPBACK.1),
            ];
            let purpose = Purpose::Guard { network: name() };
            add("arrival", purpose, matches, Action::Drop);
        }
    }
    rules
}

/// Which packets pass from one network to another.
fn forward(networks: &[BridgeNetwork]) -> Vec<Planned> {
    let planned = |purpose, matches, action| Planned {
        chain: "forward",
        purpose,
        rule: Rule { matches, action },
    };
    let of = |reach| {
        networks
            .iter()
            .filter(move |network| network.reach == reach)
            .map(|network| network.settings.interface.clone())
    };
    let mut rules = Vec::new();
    for name in of(Reach::Internal) {
        let purpose = || Purpose::Internal {
            network: name.clone(),
        };
        for matches in [
            vec![Match::Input(name.clone()), Match::NotOutput(name.clone())],
            vec![Match::Output(name.clone()), Match::NotInput(name.clone())],
        ] {
            rules.push(planned(purpose(), matches, Action::Drop));
        }
    }
    rules.push(planned(
        Purpose::Answers,
        vec![Match::Known],
        Action::Accept,
    ));
    rules.push(planned(
        Purpose::Published,
        vec![Match::Translated],
        Action::Accept,
    ));
    for name in of(Reach::Outside) {
        let matches = vec![Match::Output(name.clone()), Match::NotInput(name.clone())];
        rules.push(planned(
            Purpose::Separate { network: name },
            matches,
            Action::Drop,
        ));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::bridge::BridgeSettings;
    use crate::network::ipam::Addressing;
    use crate::network::ports::Protocol;

    fn network(interface: &str, subnet: &str, reach: Reach) -> BridgeNetwork {
        BridgeNetwork {
            settings: BridgeSettings::named(interface),
            reach,
            addressing: vec![Addressing::of(subnet.parse().unwrap())],
        }
    }

    fn texts(networks: &[BridgeNetwork], publications: &[Publication], chain: &str) -> Vec<String> {
        plan(networks, publications)
            .iter()
            .filter(|planned| planned.chain == chain)
            .map(|planned| planned.rule.to_string())
            .collect()
    }

    #[test]
    fn an_internal_network_reaches_nothing() {
        let networks = [network("br-a", "10.0.0.0/24", Reach::Internal)];
        assert!(texts(&networks, &[], "postrouting").is_empty());
        assert_eq!(
            texts(&networks, &[], "forward")[..2],
            [
                "iifname \"br-a\" oifname != \"br-a\" drop",
                "oifname \"br-a\" iifname != \"br-a\" drop"
            ]
        );
    }

    #[test]
    fn rules_grow_with_the_networks_and_not_with_their_square() {
        let many: Vec<_> = (0..50)
            .map(|n| {
                network(
                    &format!("br-{n}"),
                    &format!("10.0.{n}.0/24"),
                    Reach::Outside,
                )
            })
            .collect();
        let (all, half) = (plan(&many, &[]).len(), plan(&many[..25], &[]).len());
        assert_eq!(all - 2, (half - 2) * 2);
        assert_eq!(texts(&many, &[], "forward").len(), 52);
    }

    #[test]
    fn a_publication_translates_what_comes_in_and_what_starts_here() {
        let publication = Publication {
            host_address: "127.0.0.1".parse().unwrap(),
            host_port: 8080,
            address: "172.17.0.2".parse().unwrap(),
            port: 80,
            protocol: Protocol::Tcp,
        };
        let publications = [publication];
        let rule = "ip daddr 127.0.0.1 tcp dport 8080 dnat ip to 172.17.0.2:80";
        assert_eq!(texts(&[], &publications, "published"), [rule]);
        let jump = ["fib daddr type local jump published"];
        assert_eq!(texts(&[], &publications, "prerouting"), jump);
        assert_eq!(texts(&[], &publications, "output"), jump);
    }

    #[test]
    fn containers_do_not_reach_the_hosts_loopback() {
        let networks = [network("docker0", "172.17.0.0/16", Reach::Outside)];
        assert_eq!(
            texts(&networks, &[], "arrival"),
            ["iifname \"docker0\" ip daddr 127.0.0.0/8 drop"]
        );
    }
}

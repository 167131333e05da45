//! What the host lets open machines do: one table of packet rules, decided whole.

use std::net::Ipv4Addr;

use kernel::netlink::nftables::{Action, Chain, Family, Hook, Match, Rule, Table};

use crate::machine::uplink::PREFIX;

/// One open machine, as the host's rules know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Door {
    /// The host's end of its link.
    pub(super) interface: String,
    /// Its only address.
    pub(super) address: Ipv4Addr,
}

/// Where clouds answer who asks from inside.
const LINK_LOCAL: (Ipv4Addr, u8) = (Ipv4Addr::new(169, 254, 0, 0), 16);

/// Decides the rules for these machines: pure.
pub(super) fn plan<'a>(name: &str, doors: impl Iterator<Item = &'a Door> + Clone) -> Table {
    let drop = |matches| Rule {
        matches,
        action: Action::Drop,
    };
    let each = |rules: fn(&Door) -> Vec<Vec<Match>>| {
        let all = doors.clone().flat_map(rules);
        all.map(drop).collect::<Vec<_>>()
    };
    let chain = |name, hook, rules| Chain { name, hook, rules };
    let masquerade = doors.clone().map(|door| Rule {
        matches: vec![
            Match::Source(door.address.into(), 32),
            Match::NotOutput(door.interface.clone()),
        ],
        action: Action::Masquerade,
    });
    Table {
        family: Family::Ip,
        name: name.to_owned(),
        chains: vec![
            chain("arrival", Hook::Arrival, each(arrival)),
            chain("input", Hook::Input, each(input)),
            chain("forward", Hook::Forward, each(forward)),
            chain("leaving", Hook::Postrouting, masquerade.collect()),
        ],
    }
}

/// Before any translation, so that a port the host publishes elsewhere is the host's as well.
fn arrival(door: &Door) -> Vec<Vec<Match>> {
    let from = || Match::Input(door.interface.clone());
    vec![
        vec![from(), Match::NotSource(door.address.into())],
        vec![from(), Match::DestinationLocal],
        vec![
            from(),
            Match::DestinationIn(LINK_LOCAL.0.into(), LINK_LOCAL.1),
        ],
    ]
}

/// Whatever came this far all the same: broadcasts, for one.
fn input(door: &Door) -> Vec<Vec<Match>> {
    vec![vec![Match::Input(door.interface.clone())]]
}

fn forward(door: &Door) -> Vec<Vec<Match>> {
    vec![
        // Another machine, be it another server's.
        vec![
            Match::Input(door.interface.clone()),
            Match::OutputPrefix(PREFIX),
        ],
        vec![Match::Output(door.interface.clone()), Match::Unasked],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_its_rules_in_every_chain() {
        let doors = [1, 2].map(|n| Door {
            interface: format!("qm{n}"),
            address: Ipv4Addr::new(100, 126, 0, n),
        });
        let table = plan("quai", doors.iter());
        let counts: Vec<_> = table.chains.iter().map(|c| c.rules.len()).collect();
        assert_eq!(counts, [6, 2, 4, 2]);
        let spoofed = vec![
            Match::Input("qm1".into()),
            Match::NotSource(doors[0].address.into()),
        ];
        assert!(table.chains[0].rules.iter().any(|r| r.matches == spoofed));
    }
}

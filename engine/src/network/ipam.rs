//! Which addresses of a subnet are taken.
//!
//! A [`Pool`] is a value that the daemon keeps in memory: after a restart it is filled again from the records of the
//! containers, so that no address outlives the one who had it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::subnet::{self, Subnet};

/// An address that cannot be given.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpamError {
    /// Outside the subnet, or its first or last address.
    #[error("no configured subnet or ip-range contain the IP address {0}")]
    Outside(IpAddr),
    /// Somebody has it.
    #[error("Address already in use")]
    Taken(IpAddr),
    /// None is left.
    #[error("no available {family} addresses on this network's address pools: {0}", family = family(*.0))]
    Full(Subnet),
    /// The gateway or an address set aside is not of the subnet.
    #[error("no matching subnet for {what} {address}")]
    NoSubnet {
        /// `gateway`, `range` or `aux-address`.
        what: &'static str,
        /// Which.
        address: String,
    },
}

fn family(subnet: Subnet) -> &'static str {
    if subnet.address().is_ipv4() {
        "IPv4"
    } else {
        "IPv6"
    }
}

/// The addresses of a network, of one family: as asked for, or as the engine chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressing {
    /// All its addresses.
    pub subnet: Subnet,
    /// The host's own address; the way out, unless the network is internal.
    pub gateway: IpAddr,
    /// The part that is given out by itself, if it is not the whole subnet.
    #[serde(default)]
    pub range: Option<Subnet>,
    /// Addresses that somebody else has, by any name.
    #[serde(default)]
    pub auxiliary: BTreeMap<String, IpAddr>,
    /// Who chose the subnet.
    #[serde(default)]
    pub chosen: Chosen,
    /// Who chose the gateway.
    #[serde(default)]
    pub gateway_chosen: Chosen,
}

/// Who chose something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// The engine.
    #[default]
    ByEngine,
    /// Whoever made the network.
    ByUser,
}

impl Addressing {
    /// The whole subnet, its first address being the gateway.
    pub fn of(subnet: Subnet) -> Self {
        Self {
            subnet,
            gateway: subnet.first_host(),
            range: None,
            auxiliary: BTreeMap::new(),
            chosen: Chosen::ByEngine,
            gateway_chosen: Chosen::ByEngine,
        }
    }

    /// A gateway nobody asked for is the first free address of the range.
    pub fn choose_gateway(&mut self) {
        let set_aside: BTreeSet<IpAddr> = self.auxiliary.values().copied().collect();
        let range = self.range.unwrap_or(self.subnet);
        let first = (0..=set_aside.len() as u128 + 2)
            .map(|distance| range.nth(distance))
            .find(|address| self.subnet.holds(*address) && !set_aside.contains(address));
        self.gateway = first.unwrap_or_else(|| self.subnet.first_host());
    }
}

/// The addresses taken in one subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    subnet: Subnet,
    range: Subnet,
    taken: BTreeSet<IpAddr>,
    /// Where the search goes on, so that an address just released is not given again at once.
    next: u128,
}

impl Pool {
    /// A pool in which only the gateway and what was set aside is taken.
    pub fn new(addressing: &Addressing) -> Result<Self, IpamError> {
        let subnet = addressing.subnet;
        let range = addressing.range.unwrap_or(subnet);
        let outside = |what, address: String| IpamError::NoSubnet { what, address };
        if !subnet.contains(range.address()) || range.prefix() < subnet.prefix() {
            return Err(outside("range", range.to_string()));
        }
        if !subnet.contains(addressing.gateway) {
            return Err(outside("gateway", addressing.gateway.to_string()));
        }
        let mut pool = Self {
            subnet,
            range,
            taken: BTreeSet::from([addressing.gateway]),
            next: subnet::number(range.address()),
        };
        for address in addressing.auxiliary.values() {
            if !subnet.contains(*address) {
                return Err(outside("aux-address", address.to_string()));
            }
            if !pool.taken.insert(*address) {
                return Err(IpamError::Taken(*address));
            }
        }
        Ok(pool)
    }

    /// The subnet.
    pub fn subnet(&self) -> Subnet {
        self.subnet
    }

    /// Takes this very address.
    pub fn take(&mut self, address: IpAddr) -> Result<(), IpamError> {
        if !self.subnet.holds(address) {
            return Err(IpamError::Outside(address));
        }
        if !self.taken.insert(address) {
            return Err(IpamError::Taken(address));
        }
        Ok(())
    }

    /// Takes any address of the range.
    pub fn allocate(&mut self) -> Result<IpAddr, IpamError> {
        let (first, last) = (
            subnet::number(self.range.address()),
            subnet::number(self.range.last()),
        );
        // Among one more than are taken there is a free one, if there is any.
        let tries = (self.taken.len() as u128 + 3).min((last - first).saturating_add(1));
        let mut candidate = self.next;
        for _ in 0..tries {
            if candidate < first || candidate > last {
                candidate = first;
            }
            let address = subnet::address(candidate, self.subnet.address());
            candidate = candidate.wrapping_add(1);
            if self.subnet.holds(address) && self.taken.insert(address) {
                self.next = candidate;
                return Ok(address);
            }
        }
        Err(IpamError::Full(self.range))
    }

    /// Gives an address back.
    pub fn release(&mut self, address: IpAddr) {
        self.taken.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(text: &str) -> Pool {
        Pool::new(&Addressing::of(text.parse().unwrap())).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_container_has_the_second_address() {
        let mut pool = pool("172.17.0.0/16");
        assert_eq!(pool.allocate().unwrap(), ip("172.17.0.2"));
        assert_eq!(pool.allocate().unwrap(), ip("172.17.0.3"));
        let mut six = self::pool("fd00::/64");
        assert_eq!(six.allocate().unwrap(), ip("fd00::2"));
    }

    #[test]
    fn a_full_pool_says_so_and_recovers() {
        let mut pool = pool("10.0.0.0/30");
        let only = pool.allocate().unwrap();
        assert_eq!(pool.allocate(), Err(IpamError::Full(pool.subnet())));
        pool.release(only);
        assert_eq!(pool.allocate().unwrap(), only);
    }

    #[test]
    fn the_whole_of_ipv6_has_one_address_more_than_a_number_counts() {
        let mut pool = pool("::/0");
        assert_eq!(pool.allocate().unwrap(), ip("::2"));
    }

    #[test]
    fn an_address_just_released_comes_last() {
        let mut pool = pool("10.0.0.0/29");
        let first = pool.allocate().unwrap();
        pool.release(first);
        assert_ne!(pool.allocate().unwrap(), first);
    }

    #[test]
    fn a_range_limits_what_is_given_but_not_what_is_taken() {
        let mut addressing = Addressing::of("10.77.0.0/24".parse().unwrap());
        addressing.range = Some("10.77.0.128/30".parse().unwrap());
        addressing.auxiliary = BTreeMap::from([("router".to_owned(), ip("10.77.0.129"))]);
        let mut pool = Pool::new(&addressing).unwrap();
        assert_eq!(pool.allocate().unwrap(), ip("10.77.0.128"));
        assert_eq!(pool.allocate().unwrap(), ip("10.77.0.130"));
        pool.take(ip("10.77.0.20")).unwrap();
        assert_eq!(
            pool.take(ip("10.77.0.129")),
            Err(IpamError::Taken(ip("10.77.0.129")))
        );
        assert_eq!(pool.allocate().unwrap(), ip("10.77.0.131"));
        assert!(pool.allocate().is_err());
    }

    #[test]
    fn broadcast_and_foreign_addresses_are_refused() {
        let mut pool = pool("10.1.2.0/24");
        for address in ["10.1.2.255", "10.1.2.0", "10.1.3.1", "fd00::1"] {
            assert_eq!(pool.take(ip(address)), Err(IpamError::Outside(ip(address))));
        }
        assert!(matches!(
            pool.take(ip("10.1.2.1")),
            Err(IpamError::Taken(_))
        ));
    }

    #[test]
    fn a_gateway_avoids_addresses_set_aside() {
        let mut addressing = Addressing::of("10.1.2.0/24".parse().unwrap());
        addressing.auxiliary = BTreeMap::from([("a".to_owned(), ip("10.1.2.1"))]);
        addressing.choose_gateway();
        assert_eq!(addressing.gateway, ip("10.1.2.2"));
    }
}

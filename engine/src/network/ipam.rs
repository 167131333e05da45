//! Which addresses of a subnet are taken; the daemon keeps the value in its record.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IPv4 network, such as 172.17.0.0/16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Subnet {
    address: Ipv4Addr,
    prefix: u8,
}

/// A subnet or an address that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpamError {
    /// Not `a.b.c.d/n`.
    #[error("invalid subnet {0:?}: expected an address, a slash and a prefix from 8 to 30")]
    Subnet(String),
    /// Outside the subnet, or its first or last address.
    #[error("address {address} is not usable in {subnet}")]
    Outside {
        /// Which.
        address: Ipv4Addr,
        /// Of what.
        subnet: Subnet,
    },
    /// Somebody has it.
    #[error("Address already in use: {0}")]
    Taken(Ipv4Addr),
    /// None is left.
    #[error("no available IPv4 addresses on this network's address pool: {0}")]
    Full(Subnet),
}

impl Subnet {
    /// The network of an address.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Result<Self, IpamError> {
        if !(8..=30).contains(&prefix) {
            return Err(IpamError::Subnet(format!("{address}/{prefix}")));
        }
        let mask = u32::MAX << (32 - prefix);
        Ok(Self {
            address: Ipv4Addr::from(u32::from(address) & mask),
            prefix,
        })
    }

    /// Its first address.
    pub fn address(self) -> Ipv4Addr {
        self.address
    }

    /// How many bits are fixed.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Its last address.
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) | (u32::MAX >> self.prefix))
    }

    /// The first usable address: the usual gateway.
    pub fn first_host(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) + 1)
    }

    /// Whether a machine may have this address.
    pub fn holds(self, address: Ipv4Addr) -> bool {
        self.address < address && address < self.broadcast()
    }

    /// Whether two subnets share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.address <= other.broadcast() && other.address <= self.broadcast()
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = IpamError;

    fn from_str(text: &str) -> Result<Self, IpamError> {
        let invalid = || IpamError::Subnet(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        Self::new(
            address.parse().map_err(|_| invalid())?,
            prefix.parse().map_err(|_| invalid())?,
        )
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

impl TryFrom<String> for Subnet {
    type Error = IpamError;

    fn try_from(text: String) -> Result<Self, IpamError> {
        text.parse()
    }
}

/// The addresses taken in one subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    subnet: Subnet,
    taken: BTreeSet<Ipv4Addr>,
    /// Where the search goes on, so that an address just released is not given again at once.
    next: Ipv4Addr,
}

impl Pool {
    /// A pool in which only the gateway is taken.
    pub fn new(subnet: Subnet, gateway: Ipv4Addr) -> Result<Self, IpamError> {
        let mut pool = Self {
            subnet,
            taken: BTreeSet::new(),
            next: subnet.first_host(),
        };
        pool.take(gateway)?;
        Ok(pool)
    }

    /// The subnet.
    pub fn subnet(&self) -> Subnet {
        self.subnet
    }

    /// Takes this very address.
    pub fn take(&mut self, address: Ipv4Addr) -> Result<(), IpamError> {
        if !self.subnet.holds(address) {
            return Err(IpamError::Outside {
                address,
                subnet: self.subnet,
            });
        }
        if !self.taken.insert(address) {
            return Err(IpamError::Taken(address));
        }
        Ok(())
    }

    /// Takes any address.
    pub fn allocate(&mut self) -> Result<Ipv4Addr, IpamError> {
        let hosts = u32::from(self.subnet.broadcast()) - u32::from(self.subnet.address()) - 1;
        let mut candidate = self.next;
        for _ in 0..hosts {
            let address = candidate;
            candidate = Ipv4Addr::from(u32::from(candidate) + 1);
            if !self.subnet.holds(candidate) {
                candidate = self.subnet.first_host();
            }
            if self.taken.insert(address) {
                self.next = candidate;
                return Ok(address);
            }
        }
        Err(IpamError::Full(self.subnet))
    }

    /// Gives an address back.
    pub fn release(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(text: &str) -> Pool {
        let subnet: Subnet = text.parse().unwrap();
        Pool::new(subnet, subnet.first_host()).unwrap()
    }

    #[test]
    fn the_first_container_has_the_second_address() {
        let mut pool = pool("172.17.0.0/16");
        assert_eq!(pool.allocate().unwrap(), Ipv4Addr::new(172, 17, 0, 2));
        assert_eq!(pool.allocate().unwrap(), Ipv4Addr::new(172, 17, 0, 3));
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
    fn broadcast_and_foreign_addresses_are_refused() {
        let mut pool = pool("10.1.2.0/24");
        for address in ["10.1.2.255", "10.1.2.0", "10.1.3.1"] {
            let address = address.parse().unwrap();
            assert!(matches!(pool.take(address), Err(IpamError::Outside { .. })));
        }
        let gateway = pool.subnet().first_host();
        assert_eq!(pool.take(gateway), Err(IpamError::Taken(gateway)));
    }
}

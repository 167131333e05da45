//! A subnet of either family.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IP network, such as 172.17.0.0/16 or fd00:1::/64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

/// Text that is no subnet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// Not `address/bits`.
    #[error("invalid subnet {0}: invalid CIDR block notation")]
    Notation(String),
    /// Bits are set behind the prefix.
    #[error("invalid subnet {given}: it should be {network}")]
    HostBits {
        /// What was given.
        given: String,
        /// The network that holds it.
        network: Subnet,
    },
}

/// How many bits an address of this family has.
pub fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// An address as a number.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address of this number, of the family of `like`.
pub fn address(number: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

impl Subnet {
    /// The network of an address.
    pub fn new(address: impl Into<IpAddr>, prefix: u8) -> Result<Self, SubnetError> {
        let given = address.into();
        if prefix > width(given) {
            return Err(SubnetError::Notation(format!("{given}/{prefix}")));
        }
        let host = host_bits(given, prefix);
        Ok(Self {
            address: self::address(number(given) & !host, given),
            prefix,
        })
    }

    /// Reads `address/bits` and refuses an address inside the network instead of its first.
    pub fn parse_strictly(text: &str) -> Result<Self, SubnetError> {
        let network: Self = text.parse()?;
        let (address, _) = text.split_once('/').expect("it has been parsed");
        if address.parse() != Ok(network.address) {
            return Err(SubnetError::HostBits {
                given: text.to_owned(),
                network,
            });
        }
        Ok(network)
    }

    /// Its first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits are fixed.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Its last address.
    pub fn last(self) -> IpAddr {
        let host = host_bits(self.address, self.prefix);
        address(number(self.address) | host, self.address)
    }

    /// The address at this distance from the first one; the last one if there are fewer.
    pub fn nth(self, distance: u128) -> IpAddr {
        let host = host_bits(self.address, self.prefix);
        address(number(self.address) | distance.min(host), self.address)
    }

    /// The first usable address: the usual gateway.
    pub fn first_host(self) -> IpAddr {
        self.nth(1)
    }

    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        width(address) == width(self.address)
            && (number(self.address)..=number(self.last())).contains(&number(address))
    }

    /// Whether a machine may have this address: neither the network's own nor, for IPv4, the broadcast one.
    pub fn holds(self, address: IpAddr) -> bool {
        if !self.contains(address) {
            return false;
        }
        // RFC 3021 and RFC 6164: networks of two addresses or one have no others.
        if width(address) - self.prefix <= 1 {
            return true;
        }
        address != self.address && (address.is_ipv6() || address != self.last())
    }

    /// Whether two subnets share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// The subnets of this longer prefix in it, in order.
    pub fn split(self, prefix: u8) -> impl Iterator<Item = Self> {
        let bits = prefix.saturating_sub(self.prefix).min(63);
        let step = width(self.address).saturating_sub(prefix);
        (0..1_u128 << bits).map(move |index| Self {
            address: address(
                number(self.address) | index.checked_shl(step.into()).unwrap_or(0),
                self.address,
            ),
            prefix: prefix.max(self.prefix),
        })
    }
}

fn host_bits(address: IpAddr, prefix: u8) -> u128 {
    let all = u128::MAX >> (128 - u32::from(width(address)));
    all.checked_shr(prefix.into()).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let invalid = || SubnetError::Notation(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        Self::new(address, prefix.parse().map_err(|_| invalid())?).map_err(|_| invalid())
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

impl TryFrom<String> for Subnet {
    type Error = SubnetError;

    fn try_from(text: String) -> Result<Self, SubnetError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn a_subnet_begins_at_its_first_address() {
        assert_eq!(subnet("10.1.2.3/16").to_string(), "10.1.0.0/16");
        assert_eq!(subnet("fd00::5/64").to_string(), "fd00::/64");
        assert_eq!(subnet("0.0.0.0/0").last().to_string(), "255.255.255.255");
        let error = Subnet::parse_strictly("10.78.0.5/24").unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid subnet 10.78.0.5/24: it should be 10.78.0.0/24"
        );
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "fd00::/129", "x/8"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_share_addresses_or_not() {
        assert!(subnet("10.0.0.0/8").overlaps(subnet("10.77.0.0/25")));
        assert!(!subnet("10.0.0.0/24").overlaps(subnet("10.0.1.0/24")));
        assert!(!subnet("0.0.0.0/0").overlaps(subnet("fd00::/64")));
    }

    #[test]
    fn a_pool_is_cut_into_subnets() {
        let cut: Vec<_> = subnet("192.168.0.0/16").split(20).collect();
        assert_eq!(cut.len(), 16);
        assert_eq!(cut[15].to_string(), "192.168.240.0/20");
        assert_eq!(subnet("172.17.0.0/16").split(16).count(), 1);
    }

    #[test]
    fn the_ends_of_an_ipv4_network_are_no_machines() {
        let net = subnet("10.0.0.0/30");
        assert!(!net.holds("10.0.0.0".parse().unwrap()));
        assert!(!net.holds("10.0.0.3".parse().unwrap()));
        assert!(net.holds("10.0.0.2".parse().unwrap()));
        assert!(subnet("10.0.0.0/31").holds("10.0.0.0".parse().unwrap()));
        assert!(subnet("fd00::/64").holds("fd00::ffff:ffff:ffff:ffff".parse().unwrap()));
    }
}

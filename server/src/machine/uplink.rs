//! The link of an open machine to the host's network: two addresses of its own.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// Beginning of the host ends' names.
pub(crate) const PREFIX: &str = "qm";
/// The machine's end.
pub(crate) const INSIDE: &str = "eth0";
/// Length of the networks the pool is cut into: the host's end, the machine's, and their borders.
pub(crate) const LENGTH: u8 = 30;

/// The upper end of the shared address space (RFC 6598), with room for every range of ids.
const POOL: Ipv4Addr = Ipv4Addr::new(100, 126, 0, 0);
const POOL_LENGTH: u8 = 15;

/// What the keeper must know of the machine's link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Uplink {
    /// The machine's address.
    pub(crate) address: Ipv4Addr,
    /// The host's end.
    pub(crate) gateway: Ipv4Addr,
    /// Who answers questions about names.
    pub(crate) nameservers: Vec<Ipv4Addr>,
}

impl Uplink {
    /// The link of the machine that has the range of ids with this number.
    pub(crate) fn of_range(number: u32, nameservers: Vec<Ipv4Addr>) -> Self {
        let room = 1 << (LENGTH - POOL_LENGTH);
        let network = u32::from(POOL) + (number % room) * 4;
        Self {
            gateway: Ipv4Addr::from(network + 1),
            address: Ipv4Addr::from(network + 2),
            nameservers,
        }
    }

    /// The machine's MAC address: as the kernel would choose it, but known beforehand.
    pub(crate) fn mac(&self) -> [u8; 6] {
        let [a, b, c, d] = self.address.octets();
        [0x02, 0x71, a, b, c, d]
    }
}

/// The name of the host's end.
pub(crate) fn host_end(number: u32) -> String {
    format!("{PREFIX}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_its_own_network_in_the_pool() {
        let first = Uplink::of_range(0, Vec::new());
        assert_eq!(first.gateway, Ipv4Addr::new(100, 126, 0, 1));
        assert_eq!(first.address, Ipv4Addr::new(100, 126, 0, 2));
        let last = Uplink::of_range(4096 + 112 * 256 - 1, Vec::new());
        assert_eq!(last.address, Ipv4Addr::new(100, 127, 255, 254));
        assert!(host_end(32767).len() <= 15);
    }
}

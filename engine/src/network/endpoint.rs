//! A container's place in a network, as its own namespace sees it: an interface, its addresses, the way out.

use std::io::ErrorKind;
use std::net::IpAddr;

use kernel::error::SysError;
use kernel::netlink::link;
use kernel::netlink::{address, route};
use serde::{Deserialize, Serialize};

use super::inside::{Namespace, inside};
use super::{NetworkError, parameter, step};

/// A container's place in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Name of the host's end of a veth pair, at most 15 bytes, unique in the stage.
    pub host_interface: String,
    /// Name inside the container: `eth0`.
    pub interface: String,
    /// Its MAC address; [`mac_of`] is the usual one.
    pub mac: [u8; 6],
    /// Its addresses with the prefix lengths of their networks.
    pub addresses: Vec<(IpAddr, u8)>,
    /// The ways out that this network offers; a way that exists already stays.
    pub ways_out: Vec<WayOut>,
    /// Size of the largest packet, bytes.
    pub mtu: Option<u32>,
}

/// Where packets go that no better route wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WayOut {
    /// To this neighbour.
    Gateway(IpAddr),
    /// Out of the interface: the host routes. The address only tells the family.
    Interface(IpAddr),
}

/// Docker's MAC address of an IPv4 address; made from the last bytes for an IPv6 one.
pub fn mac_of(address: IpAddr) -> [u8; 6] {
    let [a, b, c, d] = match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            [a, b, c, d]
        }
    };
    [0x02, 0x42, a, b, c, d]
}

/// Reads `02:42:ac:11:00:02`.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

/// The first `ethN` that a container has not.
pub(super) fn free_name(container: &Namespace) -> Result<String, NetworkError> {
    inside(container, || {
        Ok((0..)
            .map(|number| format!("eth{number}"))
            .find(|name| link::index(name).is_none())
            .expect("names do not end"))
    })
}

/// Inside the container: addresses and routes of an interface that exists.
pub(super) fn configure(endpoint: &Endpoint) -> Result<(), NetworkError> {
    let name = endpoint.interface.as_str();
    link::set_up("lo").map_err(step("turn on lo"))?;
    let has_ipv6 = endpoint.addresses.iter().any(|(a, _)| a.is_ipv6());
    let value = if has_ipv6 { "0" } else { "1" };
    parameter::set_if_present(&format!("net/ipv6/conf/{name}/disable_ipv6"), value)?;
    for (address, prefix) in &endpoint.addresses {
        address::add(name, *address, *prefix)
            .map_err(step(format!("give {name} the address {address}")))?;
    }
    link::set_up(name).map_err(step(format!("turn on {name}")))?;
    lead_out(endpoint)
}

fn lead_out(endpoint: &Endpoint) -> Result<(), NetworkError> {
    for way in &endpoint.ways_out {
        let added = match way {
            WayOut::Gateway(gateway) => route::add_default(*gateway),
            WayOut::Interface(family) => route::add_default_through(&endpoint.interface, *family),
        };
        match added {
            // A second network: the first one's gateway stays the way out.
            Err(SysError { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {}
            other => other.map_err(step("set the default route"))?,
        }
    }
    Ok(())
}

/// Gives a running container a way out through this network, unless it has one.
pub fn restore_way_out(engine_pid: u32, endpoint: &Endpoint) -> Result<(), NetworkError> {
    inside(&Namespace::of_process(engine_pid)?, || lead_out(endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_are_read_and_made() {
        let usual = mac_of("172.17.0.2".parse().unwrap());
        assert_eq!(parse_mac("02:42:ac:11:00:02"), Some(usual));
        for bad in ["", "02:42", "02:42:ac:11:00:0g", "02:42:ac:11:00:02:01"] {
            assert_eq!(parse_mac(bad), None, "{bad}");
        }
    }
}

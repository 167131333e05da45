//! What the engine's configuration says about networks, and what follows where it says nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::network::bridge::{Between, BridgeSettings, Masquerade};
use crate::network::ipam::{Addressing, Chosen};
use crate::network::subnet::Subnet;

use super::super::DaemonError;
use super::super::NetworkConfig;
use super::record::{NetworkRecord, predefined};

/// Docker's usual pools: base and the prefix length of the subnets cut from it.
const POOLS: [(&str, u8); 7] = [
    ("172.17.0.0/16", 16),
    ("172.18.0.0/16", 16),
    ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16),
    ("172.24.0.0/14", 16),
    ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
];

/// The first subnet of the pools that overlaps none of these.
pub(super) fn free_subnet(
    config: &NetworkConfig,
    family: Family,
    engine_id: &str,
    taken: &[Subnet],
) -> Result<Subnet, DaemonError> {
    let mut pools: Vec<(Subnet, u8)> = config.pools.clone();
    if !pools.iter().any(|(base, _)| base.address().is_ipv4()) {
        pools.extend(POOLS.map(|(base, size)| (base.parse().expect("it is a subnet"), size)));
    }
    if !pools.iter().any(|(base, _)| base.address().is_ipv6()) {
        pools.push((local_pool(engine_id), 64));
    }
    pools
        .into_iter()
        .filter(|(base, _)| base.address().is_ipv4() == (family == Family::V4))
        .flat_map(|(base, size)| base.split(size))
        .find(|candidate| !taken.iter().any(|subnet| subnet.overlaps(*candidate)))
        .ok_or_else(|| {
            let family = if family == Family::V4 { "IPv4" } else { "IPv6" };
            DaemonError::Forbidden(format!(
                "could not find an available, non-overlapping {family} address pool among the defaults to assign to the network"
            ))
        })
}

/// Docker's pool of overlay networks.
const SHARED_POOL: (&str, u8) = ("10.0.0.0/8", 24);

/// The same for a network that several engines have: from a pool that is the same on all of them.
pub(super) fn free_shared_subnet(
    family: Family,
    engine_id: &str,
    taken: &[Subnet],
) -> Result<Subnet, DaemonError> {
    let (base, size) = SHARED_POOL;
    let config = NetworkConfig {
        pools: vec![(base.parse().expect("it is a subnet"), size)],
        ..NetworkConfig::default()
    };
    free_subnet(&config, family, engine_id, taken)
}

/// Of which kind addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// A unique local prefix of this engine, RFC 4193: `fd` and forty bits of the engine's id.
fn local_pool(engine_id: &str) -> Subnet {
    let digits: String = engine_id
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(10)
        .collect();
    let number = u128::from_str_radix(&digits, 16).unwrap_or(0);
    let address = std::net::Ipv6Addr::from((0xfd << 120) | (number << 80));
    Subnet::new(address, 48).expect("48 is a prefix length")
}

/// The networks of a new engine.
pub(crate) fn first_networks(
    config: &NetworkConfig,
    engine_id: &str,
    routes: &[Subnet],
) -> Result<Vec<NetworkRecord>, DaemonError> {
    if config.no_bridge {
        return Ok(predefined(None, BTreeMap::new()));
    }
    let settings = BridgeSettings {
        interface: "docker0".into(),
        between: if config.closed {
            Between::Closed
        } else {
            Between::Open
        },
        masquerade: if config.no_masquerade {
            Masquerade::Off
        } else {
            Masquerade::On
        },
        mtu: config.mtu,
        host_address: config.host_address,
    };
    let v4 = match config.bridge_address {
        Some((gateway, subnet)) => Addressing {
            gateway,
            ..Addressing::of(subnet)
        },
        None => Addressing::of(free_subnet(config, Family::V4, engine_id, routes)?),
    };
    let mut addressing = vec![Addressing {
        range: config
            .fixed_range
            .filter(|range| v4.subnet.contains(range.address())),
        ..v4
    }];
    if config.ipv6 {
        let subnet = match config.fixed_range_v6 {
            Some(subnet) => subnet,
            None => free_subnet(config, Family::V6, engine_id, routes)?,
        };
        addressing.push(Addressing::of(subnet));
    }
    let word = |yes: bool| yes.to_string();
    let host_address = config
        .host_address
        .unwrap_or(IpAddr::from([0, 0, 0, 0]))
        .to_string();
    let options = [
        ("com.docker.network.bridge.default_bridge", word(true)),
        ("com.docker.network.bridge.enable_icc", word(!config.closed)),
        (
            "com.docker.network.bridge.enable_ip_masquerade",
            word(!config.no_masquerade),
        ),
        ("com.docker.network.bridge.host_binding_ipv4", host_address),
        ("com.docker.network.bridge.name", settings.interface.clone()),
        (
            "com.docker.network.driver.mtu",
            config.mtu.unwrap_or(1500).to_string(),
        ),
    ];
    let options = options
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    debug_assert!(addressing.iter().all(|a| a.chosen == Chosen::ByEngine));
    Ok(predefined(Some((settings, addressing)), options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pools_are_used_in_order_around_what_is_taken() {
        let config = NetworkConfig::default();
        let taken = ["172.17.0.0/16", "172.18.5.0/24"].map(|s| s.parse().unwrap());
        let subnet = free_subnet(&config, Family::V4, "", &taken).unwrap();
        assert_eq!(subnet.to_string(), "172.19.0.0/16");
        let whole = ["172.16.0.0/12".parse().unwrap()];
        let subnet = free_subnet(&config, Family::V4, "", &whole).unwrap();
        assert_eq!(subnet.to_string(), "192.168.0.0/20");
        let all = ["0.0.0.0/0".parse().unwrap()];
        assert!(free_subnet(&config, Family::V4, "", &all).is_err());
    }

    #[test]
    fn an_engine_has_its_own_local_ipv6_prefix() {
        let id = "0123456789-abcd";
        let subnet = free_subnet(&NetworkConfig::default(), Family::V6, id, &[]).unwrap();
        assert_eq!(subnet.to_string(), "fd01:2345:6789::/64");
        let next = free_subnet(&NetworkConfig::default(), Family::V6, id, &[subnet]).unwrap();
        assert_eq!(next.to_string(), "fd01:2345:6789:1::/64");
    }
}

//! What flags and `daemon.json` say about networks.

use std::net::IpAddr;

use clap::Args;
use serde::Deserialize;

use crate::network::subnet::Subnet;

use super::config_cluster::{self, ClusterArgs, ClusterConfig, ClusterFile};
use super::config_error::ConfigError;

/// Flags of `quai engine` about networks.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct NetworkArgs {
    /// Address and prefix length of the default bridge
    #[arg(long)]
    bip: Option<String>,
    /// Bridge to attach containers to; only "none" is understood
    #[arg(long, short = 'b')]
    bridge: Option<String>,
    /// Part of the default bridge's subnet that is given out
    #[arg(long)]
    fixed_cidr: Option<String>,
    /// IPv6 subnet of the default bridge
    #[arg(long)]
    fixed_cidr_v6: Option<String>,
    /// Give IPv6 addresses on the default bridge
    #[arg(long)]
    ipv6: bool,
    /// Let containers of the default bridge reach each other
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    icc: Option<bool>,
    /// Make what leaves a network seem to come from the host
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ip_masq: Option<bool>,
    /// Where ports are published when nobody says where
    #[arg(long)]
    ip: Option<String>,
    /// Size of the largest packet on the default bridge
    #[arg(long)]
    mtu: Option<u32>,
    /// Name server of containers
    #[arg(long)]
    dns: Vec<String>,
    /// Option of the containers' resolvers
    #[arg(long)]
    dns_opt: Vec<String>,
    /// Search domain of containers
    #[arg(long)]
    dns_search: Vec<String>,
    /// Pool that subnets of new networks are cut from: base=SUBNET,size=BITS
    #[arg(long)]
    default_address_pool: Vec<String>,
    /// Address that host-gateway stands for
    #[arg(long)]
    host_gateway_ip: Vec<String>,
    /// Relay published ports where no rule can translate them
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    userland_proxy: Option<bool>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Keys of `daemon.json` about networks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct NetworkFile {
    pub(super) bip: Option<String>,
    pub(super) bridge: Option<String>,
    pub(super) fixed_cidr: Option<String>,
    pub(super) fixed_cidr_v6: Option<String>,
    pub(super) ipv6: Option<bool>,
    pub(super) icc: Option<bool>,
    pub(super) ip_masq: Option<bool>,
    pub(super) ip: Option<String>,
    pub(super) mtu: Option<u32>,
    pub(super) dns: Vec<String>,
    pub(super) dns_opts: Vec<String>,
    pub(super) dns_search: Vec<String>,
    pub(super) default_address_pools: Vec<AddressPool>,
    pub(super) host_gateway_ip: Option<String>,
    pub(super) userland_proxy: Option<bool>,
    #[serde(flatten)]
    pub(super) cluster: ClusterFile,
}

/// A pool of subnets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressPool {
    base: String,
    size: u8,
}

/// The keys, so that the others can be refused.
pub(super) const KEYS: [&str; 18] = [
    "bip",
    "bridge",
    "fixed-cidr",
    "fixed-cidr-v6",
    "ipv6",
    "icc",
    "ip-masq",
    "ip",
    "mtu",
    "dns",
    "dns-opts",
    "dns-search",
    "default-address-pools",
    "host-gateway-ip",
    "userland-proxy",
    config_cluster::KEYS[0],
    config_cluster::KEYS[1],
    config_cluster::KEYS[2],
];

/// What is configured about networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Pools of subnets with the prefix length of what is cut from them; empty for the usual ones.
    pub pools: Vec<(Subnet, u8)>,
    /// There is no default bridge.
    pub no_bridge: bool,
    /// Address and subnet of the default bridge.
    pub bridge_address: Option<(IpAddr, Subnet)>,
    /// Part of it that is given out.
    pub fixed_range: Option<Subnet>,
    /// Its IPv6 subnet.
    pub fixed_range_v6: Option<Subnet>,
    /// It has IPv6.
    pub ipv6: bool,
    /// Its containers do not reach each other.
    pub closed: bool,
    /// What leaves it keeps its address.
    pub no_masquerade: bool,
    /// Size of its largest packet, bytes.
    pub mtu: Option<u32>,
    /// Where ports are published when nobody says where.
    pub host_address: Option<IpAddr>,
    /// Name servers of containers.
    pub dns: Vec<String>,
    /// Options of their resolvers.
    pub dns_options: Vec<String>,
    /// Their search domains.
    pub dns_search: Vec<String>,
    /// Addresses that `host-gateway` stands for.
    pub host_gateway: Vec<IpAddr>,
    /// Published ports are only translated, never relayed.
    pub no_relay: bool,
    /// The store that several engines share.
    pub cluster: Option<ClusterConfig>,
}

impl NetworkConfig {
    /// Joins flags and file; `check` refuses what is said in both places.
    pub(super) fn resolve(
        args: NetworkArgs,
        file: NetworkFile,
        check: impl Fn(&'static str, Option<String>, Option<String>) -> Result<(), ConfigError>,
    ) -> Result<Self, ConfigError> {
        let yes = |value: Option<bool>| value.map(|value| value.to_string());
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        let list = |words: &[String]| (!words.is_empty()).then(|| format!("[{}]", words.join(" ")));
        for (key, flag, in_file) in [
            ("bip", args.bip.clone(), file.bip.clone()),
            ("bridge", args.bridge.clone(), file.bridge.clone()),
            (
                "fixed-cidr",
                args.fixed_cidr.clone(),
                file.fixed_cidr.clone(),
            ),
            (
                "fixed-cidr-v6",
                args.fixed_cidr_v6.clone(),
                file.fixed_cidr_v6.clone(),
            ),
            ("ipv6", yes(args.ipv6.then_some(true)), yes(file.ipv6)),
            ("icc", yes(args.icc), yes(file.icc)),
            ("ip-masq", yes(args.ip_masq), yes(file.ip_masq)),
            ("ip", args.ip.clone(), file.ip.clone()),
            ("mtu", number(args.mtu), number(file.mtu)),
            ("dns", list(&args.dns), list(&file.dns)),
            ("dns-opts", list(&args.dns_opt), list(&file.dns_opts)),
            ("dns-search", list(&args.dns_search), list(&file.dns_search)),
            (
                "host-gateway-ip",
                list(&args.host_gateway_ip),
                file.host_gateway_ip.clone(),
            ),
            (
                "userland-proxy",
                yes(args.userland_proxy),
                yes(file.userland_proxy),
            ),
        ] {
            check(key, flag, in_file)?;
        }
        let mut pools = Vec::new();
        for pool in &file.default_address_pools {
            pools.push(pool_of(&pool.base, pool.size)?);
        }
        for text in &args.default_address_pool {
            pools.push(parse_pool(text)?);
        }
        let bridge = args.bridge.or(file.bridge).unwrap_or_default();
        if !matches!(bridge.as_str(), "" | "none" | "docker0") {
            return Err(ConfigError::Unsupported {
                key: "bridge",
                value: bridge,
                remedy: "use none, or make a network with -o com.docker.network.bridge.name",
            });
        }
        let gateways = args.host_gateway_ip.into_iter().chain(file.host_gateway_ip);
        Ok(Self {
            pools,
            no_bridge: bridge == "none",
            bridge_address: args
                .bip
                .or(file.bip)
                .map(|text| bridge_address(&text))
                .transpose()?,
            fixed_range: subnet("fixed-cidr", args.fixed_cidr.or(file.fixed_cidr))?,
            fixed_range_v6: subnet("fixed-cidr-v6", args.fixed_cidr_v6.or(file.fixed_cidr_v6))?,
            ipv6: args.ipv6 || file.ipv6 == Some(true),
            closed: args.icc.or(file.icc) == Some(false),
            no_masquerade: args.ip_masq.or(file.ip_masq) == Some(false),
            mtu: args.mtu.or(file.mtu).filter(|mtu| *mtu != 0),
            host_address: args
                .ip
                .or(file.ip)
                .map(|text| address("ip", &text))
                .transpose()?,
            dns: [args.dns, file.dns].concat(),
            dns_options: [args.dns_opt, file.dns_opts].concat(),
            dns_search: [args.dns_search, file.dns_search].concat(),
            host_gateway: gateways
                .map(|text| address("host-gateway-ip", &text))
                .collect::<Result<_, _>>()?,
            no_relay: args.userland_proxy.or(file.userland_proxy) == Some(false),
            cluster: ClusterConfig::resolve(args.cluster, file.cluster, check)?,
        })
    }
}

fn wrong(key: &'static str, value: &str, remedy: &'static str) -> ConfigError {
    ConfigError::Unsupported {
        key,
        value: value.to_owned(),
        remedy,
    }
}

fn subnet(key: &'static str, text: Option<String>) -> Result<Option<Subnet>, ConfigError> {
    text.map(|text| {
        text.parse()
            .map_err(|_| wrong(key, &text, "write an address, a slash and a prefix length"))
    })
    .transpose()
}

fn address(key: &'static str, text: &str) -> Result<IpAddr, ConfigError> {
    text.parse()
        .map_err(|_| wrong(key, text, "write an IP address"))
}

fn bridge_address(text: &str) -> Result<(IpAddr, Subnet), ConfigError> {
    let bad = || {
        wrong(
            "bip",
            text,
            "write the bridge's address, a slash and a prefix length",
        )
    };
    let network: Subnet = text.parse().map_err(|_| bad())?;
    let (address, _) = text.split_once('/').ok_or_else(bad)?;
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    if network.holds(address) && address.is_ipv4() {
        Ok((address, network))
    } else {
        Err(bad())
    }
}

/// `base=10.10.0.0/16,size=24`.
fn parse_pool(text: &str) -> Result<(Subnet, u8), ConfigError> {
    let (mut base, mut size) = (None, None);
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("base", value)) => base = Some(value),
            Some(("size", value)) => size = value.parse().ok(),
            _ => {}
        }
    }
    match (base, size) {
        (Some(base), Some(size)) => pool_of(base, size),
        _ => Err(wrong(
            "default-address-pools",
            text,
            "write base=SUBNET,size=BITS",
        )),
    }
}

fn pool_of(base: &str, size: u8) -> Result<(Subnet, u8), ConfigError> {
    let key = "default-address-pools";
    let subnet: Subnet = base
        .parse()
        .map_err(|_| wrong(key, base, "write an address, a slash and a prefix length"))?;
    if size < subnet.prefix() || size > crate::network::subnet::width(subnet.address()) {
        let value = format!("{base} cut into /{size}");
        return Err(wrong(
            key,
            &value,
            "the size is a prefix length longer than the base's",
        ));
    }
    Ok((subnet, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_a_base_and_a_size() {
        let (base, size) = parse_pool("base=10.10.0.0/16,size=24").unwrap();
        assert_eq!((base.to_string().as_str(), size), ("10.10.0.0/16", 24));
        for bad in [
            "",
            "base=10.10.0.0/16",
            "base=x,size=24",
            "base=10.0.0.0/16,size=8",
        ] {
            assert!(parse_pool(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_default_bridge_has_a_chosen_address() {
        let (address, network) = bridge_address("10.5.0.9/24").unwrap();
        assert_eq!(address.to_string(), "10.5.0.9");
        assert_eq!(network.to_string(), "10.5.0.0/24");
        assert!(bridge_address("10.5.0.0/24").is_err());
    }
}

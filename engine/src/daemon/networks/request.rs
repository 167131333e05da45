//! A request for a network becomes its record.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::api::types::{CreateNetwork, Ipam, IpamConfig};
use crate::network::bridge::Reach;
use crate::network::ipam::{Addressing, Chosen, IpamError, Pool};
use crate::network::subnet::Subnet;

use super::super::NetworkConfig;
use super::super::{DaemonError, names};
use super::change::OVERLAY;
use super::drivers;
use super::record::{Driver, NetworkRecord};
use super::settings::{Family, free_shared_subnet, free_subnet};

/// What a new network must not collide with.
pub(super) struct Surroundings<'a> {
    pub(super) config: &'a NetworkConfig,
    pub(super) engine_id: &'a str,
    /// Networks that exist.
    pub(super) records: &'a [NetworkRecord],
    /// Subnets that the host has a way to.
    pub(super) routes: &'a [Subnet],
    /// Names of the host's interfaces.
    pub(super) interfaces: &'a [String],
}

/// Decides: the record of the network that is asked for.
pub(super) fn record(
    request: CreateNetwork,
    around: &Surroundings<'_>,
) -> Result<NetworkRecord, DaemonError> {
    check(&request, around)?;
    let id = names::random_id();
    let driver = drivers::driver(&request, around, &id)?;
    let ipam = request.ipam.unwrap_or_else(|| Ipam {
        driver: "default".into(),
        ..Ipam::default()
    });
    let addressing = addressing(
        &ipam,
        request.enable_ipv6 == Some(true),
        Many::of(&driver),
        Pools::of(&driver),
        around,
    )?;
    for family in &addressing {
        // An address set aside that is outside, for one.
        Pool::new(family).map_err(|error| DaemonError::Invalid(error.to_string()))?;
    }
    Ok(NetworkRecord {
        id,
        name: request.name,
        created: Timestamp::now(),
        labels: request.labels,
        options: request.options,
        attachable: request.attachable,
        ipam: Ipam {
            driver: if ipam.driver.is_empty() {
                "default".into()
            } else {
                ipam.driver
            },
            ..ipam
        },
        reach: if request.internal {
            Reach::Internal
        } else {
            Reach::Outside
        },
        addressing,
        driver,
    })
}

fn check(request: &CreateNetwork, around: &Surroundings<'_>) -> Result<(), DaemonError> {
    let name = request.name.as_str();
    if name.trim().is_empty() {
        return Err(DaemonError::Invalid(format!("invalid name: {name}")));
    }
    if matches!(name, "bridge" | "host" | "none" | "default") {
        let text = format!("operation is not permitted on predefined {name} network");
        return Err(DaemonError::Forbidden(text));
    }
    if around.records.iter().any(|record| record.name == name) {
        let text = format!("network with name {name} already exists");
        return Err(DaemonError::Conflict(text));
    }
    match request.driver.as_str() {
        "" | "bridge" | "default" | "macvlan" | "ipvlan" | OVERLAY => {}
        driver @ ("host" | "null") => {
            let text = format!("only one instance of \"{driver}\" network is allowed");
            return Err(DaemonError::Forbidden(text));
        }
        driver => {
            let text = format!("plugin \"{driver}\" not found");
            return Err(DaemonError::NotFoundText(text));
        }
    }
    if request.ingress {
        return Err(DaemonError::Unsupported("--ingress".into()));
    }
    if request.config_only
        || request
            .config_from
            .as_ref()
            .is_some_and(|c| !c.network.is_empty())
    {
        return Err(DaemonError::Unsupported("--config-only".into()));
    }
    match request.ipam.as_ref().map_or("", |ipam| &ipam.driver) {
        "" | "default" => Ok(()),
        driver => Err(DaemonError::NotFoundText(format!(
            "could not find IPAM driver: plugin \"{driver}\" not found"
        ))),
    }
}

/// Whether a network may have several subnets of one family, which are then somebody else's too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Many {
    Allowed,
    Refused,
}

impl Many {
    fn of(driver: &Driver) -> Self {
        match driver {
            Driver::Macvlan(_) | Driver::Ipvlan(_) => Self::Allowed,
            _ => Self::Refused,
        }
    }
}

/// Where subnets come from that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pools {
    /// From those of this engine.
    Local,
    /// From those of all engines.
    Shared,
}

impl Pools {
    fn of(driver: &Driver) -> Self {
        match driver {
            Driver::Overlay(_) => Self::Shared,
            _ => Self::Local,
        }
    }
}

/// The addresses of a network: as asked for, or from the pools.
fn addressing(
    ipam: &Ipam,
    ipv6: bool,
    many: Many,
    pool: Pools,
    around: &Surroundings<'_>,
) -> Result<Vec<Addressing>, DaemonError> {
    let mut families = Vec::new();
    for config in ipam.config.iter().flatten() {
        // Without --ipv6 its subnets are only kept, as Docker does.
        if !config.subnet.contains(':') || ipv6 {
            families.push(asked(config, many, around)?);
        }
    }
    let taken: Vec<Subnet> = families
        .iter()
        .map(|family| family.subnet)
        .chain(around.routes.iter().copied())
        .chain(around.records.iter().flat_map(subnets))
        .collect();
    let free = |family, taken: &[Subnet]| match pool {
        Pools::Local => free_subnet(around.config, family, around.engine_id, taken),
        Pools::Shared => free_shared_subnet(family, around.engine_id, taken),
    };
    for (family, wanted) in [(Family::V4, true), (Family::V6, ipv6)] {
        let of_family = |addressing: &Addressing| {
            addressing.subnet.address().is_ipv4() == (family == Family::V4)
        };
        match families.iter().filter(|a| of_family(a)).count() {
            0 if wanted => families.push(Addressing::of(free(family, &taken)?)),
            0 | 1 => {}
            _ if many == Many::Allowed => {}
            _ => {
                let text = "bridge driver doesn't support multiple subnets";
                return Err(DaemonError::Forbidden(text.into()));
            }
        }
    }
    Ok(families)
}

fn subnets(record: &NetworkRecord) -> impl Iterator<Item = Subnet> + '_ {
    record.addressing.iter().map(|addressing| addressing.subnet)
}

fn asked(
    config: &IpamConfig,
    many: Many,
    around: &Surroundings<'_>,
) -> Result<Addressing, DaemonError> {
    let wrong = |text: String| DaemonError::Invalid(format!("invalid network config:\n{text}"));
    let mut addressing = Addressing {
        chosen: Chosen::ByUser,
        ..if config.subnet.is_empty() {
            Addressing::of(free_subnet(
                around.config,
                Family::V4,
                around.engine_id,
                &around.records.iter().flat_map(subnets).collect::<Vec<_>>(),
            )?)
        } else {
            let subnet = Subnet::parse_strictly(&config.subnet);
            Addressing::of(subnet.map_err(|error| wrong(error.to_string()))?)
        }
    };
    let subnet = addressing.subnet;
    if around
        .records
        .iter()
        .flat_map(subnets)
        .any(|other| other.overlaps(subnet))
    {
        let text = "Pool overlaps with other one on this address space";
        return Err(DaemonError::Forbidden(text.into()));
    }
    // On a link of the host its own subnet is just the one that is wanted.
    let foreign = around.routes.iter().find(|route| route.overlaps(subnet));
    if let (Many::Refused, Some(route)) = (many, foreign) {
        return Err(DaemonError::Forbidden(format!(
            "Pool overlaps with other one on this address space: the host has a route to {route}"
        )));
    }
    if !config.ip_range.is_empty() {
        let text = &config.ip_range;
        let range: Subnet = text.parse().map_err(|_| {
            wrong(format!(
                "invalid ip-range {text}: invalid CIDR block notation"
            ))
        })?;
        if !subnet.contains(range.address()) || range.prefix() < subnet.prefix() {
            return Err(wrong(format!(
                "invalid ip-range {text}: parent subnet is {subnet}"
            )));
        }
        addressing.range = Some(range);
    }
    for (name, text) in &config.auxiliary_addresses {
        let address: IpAddr = text
            .parse()
            .map_err(|_| wrong(format!("invalid auxiliary address {name}: {text}")))?;
        if !subnet.contains(address) {
            return Err(wrong(format!(
                "invalid auxiliary address {name}: parent subnet is {subnet}"
            )));
        }
        addressing.auxiliary.insert(name.clone(), address);
    }
    if config.gateway.is_empty() {
        addressing.choose_gateway();
    } else {
        let text = &config.gateway;
        addressing.gateway = text
            .parse()
            .map_err(|_| wrong(format!("invalid gateway {text}: invalid address")))?;
        if !subnet.holds(addressing.gateway) {
            let error = IpamError::NoSubnet {
                what: "gateway",
                address: text.clone(),
            };
            return Err(wrong(error.to_string()));
        }
        addressing.gateway_chosen = Chosen::ByUser;
    }
    Ok(addressing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(subnets: &[IpamConfig], ipv6: bool) -> Result<NetworkRecord, DaemonError> {
        let config = NetworkConfig::default();
        let around = Surroundings {
            config: &config,
            engine_id: "0123456789",
            records: &[],
            routes: &["10.9.0.0/16".parse().unwrap()],
            interfaces: &[],
        };
        let request = CreateNetwork {
            name: "n".into(),
            enable_ipv6: Some(ipv6),
            ipam: Some(Ipam {
                config: Some(subnets.to_vec()),
                ..Ipam::default()
            }),
            ..CreateNetwork::default()
        };
        record(request, &around)
    }

    fn subnet(text: &str) -> IpamConfig {
        IpamConfig {
            subnet: text.into(),
            ..IpamConfig::default()
        }
    }

    #[test]
    fn a_network_has_an_ipv4_subnet_and_with_ipv6_two() {
        assert_eq!(ask(&[], false).unwrap().addressing.len(), 1);
        let both = ask(&[subnet("10.1.0.0/24")], true).unwrap();
        let told: Vec<_> = both
            .addressing
            .iter()
            .map(|a| a.subnet.to_string())
            .collect();
        assert_eq!(told, ["10.1.0.0/24", "fd01:2345:6789::/64"]);
    }

    #[track_caller]
    fn refused(config: IpamConfig, text: &str) {
        assert_eq!(ask(&[config], false).unwrap_err().to_string(), text);
    }

    #[test]
    fn wrong_addresses_are_refused_in_dockers_words() {
        refused(
            subnet("10.78.0.5/24"),
            "invalid network config:\ninvalid subnet 10.78.0.5/24: it should be 10.78.0.0/24",
        );
        refused(
            subnet("10.9.1.0/24"),
            "Pool overlaps with other one on this address space: the host has a route to 10.9.0.0/16",
        );
        refused(
            IpamConfig {
                gateway: "10.79.0.1".into(),
                ..subnet("10.78.0.0/24")
            },
            "invalid network config:\nno matching subnet for gateway 10.79.0.1",
        );
        let two = [subnet("10.1.0.0/24"), subnet("10.2.0.0/24")];
        assert!(ask(&two, false).is_err());
    }
}

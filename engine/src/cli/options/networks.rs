//! `--network` with its companions: `--ip`, `--network-alias`, `--link`, `--mac-address`.

use serde_json::{Map, Value, json};

use super::super::error::CliError;
use super::super::flags::Matches;
use super::words;

/// The networks of one container, as the API's create body divides them.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// `HostConfig.NetworkMode`.
    pub(crate) mode: String,
    /// `NetworkingConfig.EndpointsConfig`.
    pub(crate) endpoints: Map<String, Value>,
}

impl Networks {
    /// Reads the options; companions belong to the first network.
    pub(crate) fn parse(matches: &Matches) -> Result<Self, CliError> {
        let given = matches.all("network");
        let mut networks = Self {
            mode: "default".to_owned(),
            ..Self::default()
        };
        for (rank, word) in given.iter().enumerate() {
            let (name, endpoint) = network(word)?;
            if rank == 0 {
                networks.mode.clone_from(&name);
            }
            if networks
                .endpoints
                .insert(name.clone(), endpoint.into())
                .is_some()
            {
                return Err(CliError::Said(format!(
                    "network \"{name}\" is specified multiple times"
                )));
            }
        }
        let mut companions = Map::new();
        let mut addresses = Map::new();
        if let Some(ip) = matches.text("ip") {
            addresses.insert("IPv4Address".into(), ip.into());
        }
        if let Some(ip) = matches.text("ip6") {
            addresses.insert("IPv6Address".into(), ip.into());
        }
        if !matches.all("link-local-ip").is_empty() {
            addresses.insert("LinkLocalIPs".into(), json!(matches.all("link-local-ip")));
        }
        if !addresses.is_empty() {
            companions.insert("IPAMConfig".into(), addresses.into());
        }
        if !matches.all("network-alias").is_empty() {
            if !user_defined(&networks.mode) {
                return Err(CliError::Said(
                    "network-scoped aliases are only supported for user-defined networks"
                        .to_owned(),
                ));
            }
            companions.insert("Aliases".into(), json!(matches.all("network-alias")));
        }
        if let Some(mac) = matches.text("mac-address") {
            companions.insert("MacAddress".into(), mac.into());
        }
        // Links of a user-defined network belong to the endpoint, those of the default
        // bridge to the container.
        if !matches.all("link").is_empty() && user_defined(&networks.mode) {
            companions.insert("Links".into(), json!(matches.all("link")));
        }
        if !companions.is_empty() {
            let endpoint = networks
                .endpoints
                .entry(networks.mode.clone())
                .or_insert_with(|| json!({}))
                .as_object_mut()
                .expect("endpoints are objects");
            endpoint.extend(companions);
        }
        networks.endpoints.retain(|name, body| {
            user_defined(name) || body.as_object().is_some_and(|body| !body.is_empty())
        });
        Ok(networks)
    }
}

/// Whether `mode` names a network that somebody created.
pub(crate) fn user_defined(mode: &str) -> bool {
    !matches!(mode, "default" | "bridge" | "host" | "none") && !mode.starts_with("container:")
}

/// `NAME` or `name=NAME,alias=web,ip=…`.
fn network(word: &str) -> Result<(String, Map<String, Value>), CliError> {
    if !word.contains('=') {
        return Ok((word.to_owned(), Map::new()));
    }
    let (mut name, mut aliases) = (None, Vec::new());
    let (mut endpoint, mut addresses) = (Map::new(), Map::new());
    for field in words::fields(word) {
        let refuse = || {
            CliError::Said(format!(
                "invalid argument \"{word}\" for \"--network\" flag: invalid field '{field}'"
            ))
        };
        let (key, value) = field.split_once('=').ok_or_else(refuse)?;
        match key {
            "name" => name = Some(value.to_owned()),
            "alias" => aliases.push(value.to_owned()),
            "ip" => drop(addresses.insert("IPv4Address".into(), value.into())),
            "ip6" => drop(addresses.insert("IPv6Address".into(), value.into())),
            "mac-address" => drop(endpoint.insert("MacAddress".into(), value.into())),
            _ => return Err(refuse()),
        }
    }
    if !aliases.is_empty() {
        endpoint.insert("Aliases".into(), json!(aliases));
    }
    if !addresses.is_empty() {
        endpoint.insert("IPAMConfig".into(), addresses.into());
    }
    let name = name.ok_or_else(|| {
        CliError::Said(format!(
            "invalid argument \"{word}\" for \"--network\" flag: network name is missing"
        ))
    })?;
    Ok((name, endpoint))
}

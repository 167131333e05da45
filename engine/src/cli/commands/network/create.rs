//! `docker network create`.

use serde_json::{Map, Value, json};

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::words;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["network create"],
    about: "Create a network",
    synopsis: "[OPTIONS] NETWORK",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("attachable", "Let containers be attached by hand"),
    Flag::list(
        "aux-address",
        "Addresses that are taken already (name=address)",
    )
    .word("map"),
    Flag::text("config-from", "Take the settings of this network").hidden(),
    Flag::switch("config-only", "Keep the settings, make no network").hidden(),
    Flag::text("driver", "Driver of the network")
        .short('d')
        .default("bridge"),
    Flag::strings("gateway", "Address of the gateway"),
    Flag::switch("ingress", "Network of a swarm's published ports")
        .refused("is not supported: there is no swarm mode here")
        .hidden(),
    Flag::switch("internal", "No way out of the network"),
    Flag::strings("ip-range", "Give addresses of this range only"),
    Flag::text("ipam-driver", "Driver that gives addresses").default("default"),
    Flag::list("ipam-opt", "Set an option of that driver").word("map"),
    Flag::switch("ipv4", "Give IPv4 addresses")
        .default("true")
        .hidden(),
    Flag::switch("ipv6", "Give IPv6 addresses too"),
    Flag::list("label", "Set a label"),
    Flag::list("opt", "Set an option of the network's driver")
        .short('o')
        .word("map"),
    Flag::text("scope", "Where the network exists (\"local\")").hidden(),
    Flag::strings("subnet", "Subnet (such as 172.28.0.0/16)"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let mut body = json!({
        "Name": matches.operands[0],
        "CheckDuplicate": true,
        "Driver": matches.text("driver"),
        "Internal": matches.on("internal"),
        "Attachable": matches.on("attachable"),
        "EnableIPv6": matches.on("ipv6"),
        "IPAM": {
            "Driver": matches.text("ipam-driver"),
            "Config": pools(matches)?,
            "Options": words::map(matches.all("ipam-opt")),
        },
        "Options": words::map(matches.all("opt")),
        "Labels": words::map(matches.all("label")),
    });
    if matches.on("config-only") {
        body["ConfigOnly"] = true.into();
    }
    if let Some(name) = matches.text("config-from") {
        body["ConfigFrom"] = json!({ "Network": name });
    }
    if let Some(scope) = matches.text("scope") {
        body["Scope"] = scope.into();
    }
    if matches.given("ipv4") {
        body["EnableIPv4"] = matches.on("ipv4").into();
    }
    let query = Query::new(&["networks", "create"]);
    let answer = session.client.post(&query, Payload::Json(body)).await?;
    if let Some(warning) = answer["Warning"]
        .as_str()
        .filter(|warning| !warning.is_empty())
    {
        output::complain(&format!("WARNING: {warning}"));
    }
    output::line(answer["Id"].as_str().unwrap_or_default())?;
    Ok(0)
}

/// One entry for each subnet, with what belongs to it.
fn pools(matches: &Matches) -> Result<Vec<Value>, CliError> {
    let subnets = matches.all("subnet");
    if subnets.is_empty() {
        let orphans = ["gateway", "ip-range", "aux-address"];
        if orphans.iter().any(|option| matches.given(option)) {
            return Err(CliError::Said(
                "every --ip-range, --gateway or --aux-address must have a corresponding --subnet"
                    .to_owned(),
            ));
        }
        return Ok(Vec::new());
    }
    let mut pools: Vec<Map<String, Value>> = subnets
        .iter()
        .map(|subnet| Map::from_iter([("Subnet".to_owned(), Value::from(subnet.as_str()))]))
        .collect();
    for (key, option) in [("Gateway", "gateway"), ("IPRange", "ip-range")] {
        for address in matches.all(option) {
            let at = owner(subnets, option, address)?;
            if pools[at]
                .insert(key.into(), address.as_str().into())
                .is_some()
            {
                return Err(CliError::Said(format!(
                    "cannot configure multiple {option}s ({address}) on the same subnet ({})",
                    subnets[at]
                )));
            }
        }
    }
    for (name, address) in words::map(matches.all("aux-address")) {
        let at = owner(subnets, "aux-address", &address)?;
        let taken = pools[at]
            .entry("AuxiliaryAddresses")
            .or_insert_with(|| json!({}));
        taken[name] = address.into();
    }
    Ok(pools.into_iter().map(Value::Object).collect())
}

/// The subnet that holds an address.
fn owner(subnets: &[String], option: &str, address: &str) -> Result<usize, CliError> {
    use std::net::IpAddr;
    let bits = |text: &str| -> Option<(u128, u32)> {
        match text.parse().ok()? {
            IpAddr::V4(ip) => Some((u128::from(ip.to_bits()), 32)),
            IpAddr::V6(ip) => Some((ip.to_bits(), 128)),
        }
    };
    let holds = |subnet: &String| {
        let (network, length) = subnet.split_once('/')?;
        let length: u32 = length.parse().ok()?;
        let ((network, width), (address, same)) =
            (bits(network)?, bits(address.split('/').next()?)?);
        let shift = width.checked_sub(length)?;
        let prefix = |ip: u128| ip.checked_shr(shift).unwrap_or(0);
        (width == same && prefix(network) == prefix(address)).then_some(())
    };
    subnets
        .iter()
        .position(|subnet| holds(subnet).is_some())
        .ok_or_else(|| CliError::Said(format!("no matching subnet for {option} {address}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Vec<Value>, CliError> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        pools(&Matches::parse(&[OPTIONS], &words, Order::Anywhere).unwrap())
    }

    #[test]
    fn addresses_belong_to_the_subnet_that_holds_them() {
        let pools = parse(
            "--subnet 10.1.0.0/16 --subnet fd00::/64 --gateway fd00::1 --gateway 10.1.0.9 \
             --ip-range 10.1.2.0/24 --aux-address r=10.1.0.7 n",
        );
        assert_eq!(
            pools.unwrap(),
            [
                json!({"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.9", "IPRange": "10.1.2.0/24",
                       "AuxiliaryAddresses": {"r": "10.1.0.7"}}),
                json!({"Subnet": "fd00::/64", "Gateway": "fd00::1"}),
            ]
        );
        assert!(parse("--subnet 10.1.0.0/16 --gateway 10.2.0.1 n").is_err());
        assert!(parse("--gateway 10.2.0.1 n").is_err());
    }
}

//! `docker network connect`.

use serde_json::{Map, json};

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::words;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["network connect"],
    about: "Connect a container to a network",
    synopsis: "[OPTIONS] NETWORK CONTAINER",
    flags: &[OPTIONS],
    operands: Operands::Exactly(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::strings("alias", "Another name of the container on the network"),
    Flag::strings("driver-opt", "Set an option of the network's driver"),
    Flag::int(
        "gw-priority",
        "The network with the highest number gives the default route",
    ),
    Flag::text("ip", "IPv4 address (such as 172.30.100.104)"),
    Flag::text("ip6", "IPv6 address (such as 2001:db8::33)"),
    Flag::list("link", "Link to another container"),
    Flag::strings("link-local-ip", "Link-local address of the container"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let mut addresses = Map::new();
    for (key, option) in [("IPv4Address", "ip"), ("IPv6Address", "ip6")] {
        if let Some(address) = matches.text(option) {
            addresses.insert(key.into(), address.into());
        }
    }
    if !matches.all("link-local-ip").is_empty() {
        addresses.insert("LinkLocalIPs".into(), json!(matches.all("link-local-ip")));
    }
    let mut endpoint = Map::new();
    if !addresses.is_empty() {
        endpoint.insert("IPAMConfig".into(), addresses.into());
    }
    for (key, option) in [("Aliases", "alias"), ("Links", "link")] {
        if !matches.all(option).is_empty() {
            endpoint.insert(key.into(), json!(matches.all(option)));
        }
    }
    if let Some(priority) = matches.int("gw-priority") {
        endpoint.insert("GwPriority".into(), priority.into());
    }
    if !matches.all("driver-opt").is_empty() {
        endpoint.insert(
            "DriverOpts".into(),
            json!(words::map(matches.all("driver-opt"))),
        );
    }
    let body = json!({ "Container": matches.operands[1], "EndpointConfig": endpoint });
    let query = Query::new(&["networks", &matches.operands[0], "connect"]);
    session.client.post(&query, Payload::Json(body)).await?;
    Ok(0)
}

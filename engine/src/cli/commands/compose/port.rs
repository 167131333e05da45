//! `docker compose port`.

use super::{PROJECT, scope};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose port"],
    about: "Print the public port for a port binding",
    synopsis: "[OPTIONS] SERVICE PRIVATE_PORT",
    flags: &[PROJECT, OWN],
    operands: Operands::Exactly(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(port(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::int(
        "index",
        "Index of the container if service has multiple replicas",
    )
    .default("0"),
    Flag::text("protocol", "tcp or udp").default("tcp"),
];

async fn port(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let (service, private) = (&matches.operands[0], &matches.operands[1]);
    let number = matches.int("index").unwrap_or(0);
    let container = scope::container(session, &name, service, number).await?;
    let inspect = Query::new(&["containers", &container.id, "json"]);
    let inspected = session.client.get(&inspect).await?;
    let key = format!("{private}/{}", matches.text("protocol").unwrap_or("tcp"));
    let binding = &inspected["NetworkSettings"]["Ports"][&key][0];
    let (Some(ip), Some(port)) = (binding["HostIp"].as_str(), binding["HostPort"].as_str()) else {
        return Err(CliError::Said(format!(
            "no port {key} for container {}",
            container.name
        )));
    };
    let ip = match ip {
        "" => "0.0.0.0",
        ip => ip,
    };
    match ip.contains(':') {
        true => output::line(&format!("[{ip}]:{port}"))?,
        false => output::line(&format!("{ip}:{port}"))?,
    }
    Ok(0)
}

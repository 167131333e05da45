//! `docker port`.

use serde_json::Value;

use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container port", "port"],
    about: "List port mappings or a specific mapping for the container",
    synopsis: "CONTAINER [PRIVATE_PORT[/PROTO]]",
    flags: &[],
    operands: Operands::Between(1, 2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let name = &matches.operands[0];
    let inspect = session
        .client
        .get(&Query::new(&["containers", name, "json"]))
        .await?;
    let ports = &inspect["NetworkSettings"]["Ports"];
    if let Some(wanted) = matches.operands.get(1) {
        let port = if wanted.contains('/') {
            wanted.clone()
        } else {
            format!("{wanted}/tcp")
        };
        let hosts = hosts(&ports[port.as_str()]);
        if hosts.is_empty() {
            return Err(CliError::Said(format!(
                "Error: No public port '{wanted}' published for {name}"
            )));
        }
        output::line(&hosts.join("\n"))?;
        return Ok(0);
    }
    let mut lines: Vec<(u32, String)> = Vec::new();
    for (port, bindings) in ports.as_object().into_iter().flatten() {
        let number = port
            .split('/')
            .next()
            .and_then(|port| port.parse().ok())
            .unwrap_or(0);
        lines.extend(
            hosts(bindings)
                .into_iter()
                .map(|host| (number, format!("{port} -> {host}"))),
        );
    }
    lines.sort();
    output::print(
        &lines
            .into_iter()
            .map(|(_, line)| line + "\n")
            .collect::<String>(),
    )?;
    Ok(0)
}

fn hosts(bindings: &Value) -> Vec<String> {
    let text = |binding: &Value, key: &str| binding[key].as_str().unwrap_or_default().to_owned();
    let host = |binding: &Value| match text(binding, "HostIp") {
        ip if ip.contains(':') => format!("[{ip}]:{}", text(binding, "HostPort")),
        ip => format!("{ip}:{}", text(binding, "HostPort")),
    };
    bindings
        .as_array()
        .into_iter()
        .flatten()
        .map(host)
        .collect()
}

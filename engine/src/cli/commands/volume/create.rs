//! `docker volume create`.

use serde_json::json;

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::words;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["volume create"],
    about: "Create a volume",
    synopsis: "[OPTIONS] [VOLUME]",
    flags: &[OPTIONS, CLUSTER],
    operands: Operands::AtMost(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::text("driver", "Driver of the volume")
        .short('d')
        .default("local"),
    Flag::list("label", "Set a label"),
    Flag::text("name", "The older way to name the volume").hidden(),
    Flag::list("opt", "Set an option of the driver")
        .short('o')
        .word("map"),
];

/// Why options of cluster volumes cannot be had.
const SWARM: &str = "is not supported: there is no swarm mode here";

/// Options of cluster volumes.
const CLUSTER: &[Flag] = &[
    Flag::text("availability", "Availability of a cluster volume")
        .refused(SWARM)
        .hidden(),
    Flag::text("group", "Group of a cluster volume")
        .refused(SWARM)
        .hidden(),
    Flag::bytes("limit-bytes", "Largest size of a cluster volume")
        .refused(SWARM)
        .hidden(),
    Flag::bytes("required-bytes", "Least size of a cluster volume")
        .refused(SWARM)
        .hidden(),
    Flag::text("scope", "Access of a cluster volume")
        .refused(SWARM)
        .hidden(),
    Flag::list("secret", "Secrets of a cluster volume")
        .word("map")
        .refused(SWARM)
        .hidden(),
    Flag::text("sharing", "Sharing of a cluster volume")
        .refused(SWARM)
        .hidden(),
    Flag::list("topology-preferred", "Preferred topology")
        .refused(SWARM)
        .hidden(),
    Flag::list("topology-required", "Required topology")
        .refused(SWARM)
        .hidden(),
    Flag::text("type", "Access type of a cluster volume")
        .refused(SWARM)
        .hidden(),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let name = matches
        .operands
        .first()
        .map(String::as_str)
        .or(matches.text("name"));
    if matches.given("name") && !matches.operands.is_empty() {
        return Err(CliError::Said(
            "conflicting options: cannot specify a volume-name through both --name and as a \
             positional arg"
                .to_owned(),
        ));
    }
    let body = json!({
        "Name": name.unwrap_or(""),
        "Driver": matches.text("driver"),
        "DriverOpts": words::map(matches.all("opt")),
        "Labels": words::map(matches.all("label")),
    });
    let query = Query::new(&["volumes", "create"]);
    let volume = session.client.post(&query, Payload::Json(body)).await?;
    output::line(volume["Name"].as_str().unwrap_or_default())?;
    Ok(0)
}

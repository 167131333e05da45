//! `docker volume update`: only the cluster volumes of a swarm can be changed, and there is no swarm mode here.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["volume update"],
    about: "Update a volume (cluster volumes only)",
    synopsis: "[OPTIONS] VOLUME",
    flags: &[&[
        Flag::text("availability", "Availability of a cluster volume")
            .default("active")
            .refused("is not supported: there is no swarm mode here"),
    ]],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let query = Query::new(&["volumes", &matches.operands[0]]);
    let volume: Value = session.client.get(&query).await?;
    Err(CliError::Said(if volume["ClusterVolume"].is_null() {
        "Can only update cluster volumes".to_owned()
    } else {
        "cluster volumes are not supported: there is no swarm mode here".to_owned()
    }))
}

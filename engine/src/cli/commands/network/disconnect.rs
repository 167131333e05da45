//! `docker network disconnect`.

use serde_json::json;

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["network disconnect"],
    about: "Disconnect a container from a network",
    synopsis: "[OPTIONS] NETWORK CONTAINER",
    flags: &[&[Flag::switch("force", "Disconnect even if the container is not known").short('f')]],
    operands: Operands::Exactly(2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let body = json!({ "Container": matches.operands[1], "Force": matches.on("force") });
    let query = Query::new(&["networks", &matches.operands[0], "disconnect"]);
    session.client.post(&query, Payload::Json(body)).await?;
    Ok(0)
}

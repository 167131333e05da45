//! `docker inspect`: any kind of object, whichever bears the name.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::commands::container::inspect::{FORMAT, SIZE, inspect_documents};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["inspect"],
    about: "Return low-level information on Docker objects",
    synopsis: "[OPTIONS] NAME|ID [NAME|ID...]",
    flags: &[FORMAT, SIZE, &[Flag::text("type", "Kind of the objects")]],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let kinds: &[&str] = match matches.text("type") {
        None => &["container", "image", "network", "volume"],
        Some("container") => &["container"],
        Some("image") => &["image"],
        Some("network") => &["network"],
        Some("volume") => &["volume"],
        Some(kind @ ("config" | "node" | "plugin" | "secret" | "service" | "task")) => {
            return Err(CliError::Said(format!(
                "docker inspect --type {kind}: there is no swarm mode and there are no plugins here"
            )));
        }
        Some(kind) => {
            return Err(CliError::Said(format!(
                "unknown type: \"{kind}\": must be one of \"config\", \"container\", \"image\", \
                 \"network\", \"node\", \"plugin\", \"secret\", \"service\", \"task\", \"volume\""
            )));
        }
    };
    inspect_documents(matches, async |name| {
        find(session, matches, kinds, name).await
    })
    .await
}

async fn find(
    session: &Session,
    matches: &Matches,
    kinds: &[&str],
    name: &str,
) -> Result<Value, CliError> {
    for kind in kinds {
        let query = match *kind {
            "container" => {
                Query::new(&["containers", name, "json"]).with_switch("size", matches.on("size"))
            }
            "image" => Query::new(&["images", name, "json"]),
            "network" => Query::new(&["networks", name]),
            _ => Query::new(&["volumes", name]),
        };
        match session.client.get(&query).await {
            Err(error) if error.is_not_found() && kinds.len() > 1 => {}
            // A name that cannot be an image's may still be a volume's.
            Err(CliError::Daemon { status: 400, .. }) if kinds.len() > 1 => {}
            other => return other,
        }
    }
    Err(CliError::Said(format!("Error: No such object: {name}")))
}

//! `docker rmi`.

use crate::cli::commands::{Command, Operands, each};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image rm", "image remove", "rmi"],
    about: "Remove one or more images",
    synopsis: "[OPTIONS] IMAGE [IMAGE...]",
    flags: &[OPTIONS],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("force", "Remove even if it is used by stopped containers").short('f'),
    Flag::switch("no-prune", "Keep the parents that nothing else uses"),
    Flag::list("platform", "Remove only this platform's variant")
        .refused("requires version 1.50 of the API: this client speaks 1.45"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    each(&matches.operands, async |name| {
        let query = Query::new(&["images", name])
            .with_switch("force", matches.on("force"))
            .with_switch("noprune", matches.on("no-prune"));
        let answer = match session.client.delete(&query).await {
            // What is already gone needs no force.
            Err(error) if error.is_not_found() && matches.on("force") => {
                output::complain(&error.to_string());
                return Ok(());
            }
            answer => answer?,
        };
        for change in answer.as_array().into_iter().flatten() {
            if let Some(name) = change["Untagged"].as_str() {
                output::line(&format!("Untagged: {name}"))?;
            }
            if let Some(id) = change["Deleted"].as_str() {
                output::line(&format!("Deleted: {id}"))?;
            }
        }
        Ok(())
    })
    .await
}

//! `docker rm`.

use crate::cli::commands::{Command, Operands, each};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container rm", "container remove", "rm"],
    about: "Remove one or more containers",
    synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
    flags: &[OPTIONS],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("force", "Remove a running container too, by killing it").short('f'),
    Flag::switch("link", "Remove a link, not the container").short('l'),
    Flag::switch("volumes", "Remove the container's anonymous volumes too").short('v'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    each(&matches.operands, async |name| {
        // A link is called `container/alias`.
        let mut segments = vec!["containers"];
        segments.extend(name.trim_matches('/').split('/'));
        let query = Query::new(&segments)
            .with_switch("force", matches.on("force"))
            .with_switch("link", matches.on("link"))
            .with_switch("v", matches.on("volumes"));
        match session.client.delete(&query).await {
            // What is already gone needs no force.
            Err(error) if error.is_not_found() && matches.on("force") => {
                output::complain(&error.to_string());
                return Ok(());
            }
            other => other?,
        };
        output::line(name)
    })
    .await
}

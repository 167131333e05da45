//! `docker commit`.

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::reference;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container commit", "commit"],
    about: "Create a new image from a container's changes",
    synopsis: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    flags: &[OPTIONS],
    operands: Operands::Between(1, 2),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::text("author", "Who made it").short('a'),
    Flag::list("change", "Apply a Dockerfile instruction to the image").short('c'),
    Flag::text("message", "Why it was made").short('m'),
    Flag::switch("pause", "Pause the container meanwhile")
        .short('p')
        .default("true"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let mut query = Query::new(&["commit"])
        .with("container", &matches.operands[0])
        .with_some("author", matches.text("author"))
        .with_some("comment", matches.text("message"));
    if !matches.on("pause") {
        query = query.with("pause", "0");
    }
    if let Some(name) = matches.operands.get(1) {
        reference::check(name).map_err(CliError::Said)?;
        let parsed = reference::parse(name);
        query = query
            .with("repo", parsed.name)
            .with_some("tag", parsed.version);
    }
    for change in matches.all("change") {
        query = query.with("changes", change);
    }
    let answer = session.client.post(&query, Payload::Empty).await?;
    output::line(answer["Id"].as_str().unwrap_or_default())?;
    Ok(0)
}

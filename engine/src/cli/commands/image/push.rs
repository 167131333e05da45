//! `docker push`.

use super::pull::{Loudness, show};
use crate::cli::commands::{Command, Operands};
use crate::cli::credentials;
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::reference;
use crate::cli::path::Query;
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image push", "push"],
    about: "Upload an image to a registry",
    synopsis: "[OPTIONS] NAME[:TAG]",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("all-tags", "Push all tags of an image to the repository").short('a'),
    super::CONTENT_TRUST,
    Flag::text("platform", "Push only this platform's variant")
        .refused("requires version 1.46 of the API: this client speaks 1.45"),
    Flag::switch("quiet", "Suppress verbose output").short('q'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let name = &matches.operands[0];
    let parsed = reference::parse(name);
    let all = matches.on("all-tags");
    if all && parsed.version.is_some() {
        return Err(CliError::Said(
            "tag can't be used with --all-tags/-a".to_owned(),
        ));
    }
    let quiet = matches.on("quiet");
    let mut query = Query::new(&["images", parsed.name, "push"]);
    if !all {
        if parsed.version.is_none() && !quiet {
            output::line("Using default tag: latest")?;
        }
        query = query.with("tag", parsed.version.unwrap_or("latest"));
    }
    let auth = credentials::header_for(session.config.directory(), name)?;
    // A push without credentials carries an empty proof: the API has always asked for the header.
    let query = query.with_registry_auth(Some(auth.unwrap_or_else(|| "e30=".to_owned())));
    show(
        session,
        &query,
        if quiet {
            Loudness::Quiet
        } else {
            Loudness::Output
        },
    )
    .await?;
    if quiet {
        output::line(&reference::canonical(name))?;
    }
    Ok(0)
}

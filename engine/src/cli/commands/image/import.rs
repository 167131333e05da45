//! `docker import`: an image from the tar archive of a root file system.

use std::fs::File;
use std::io::{Read, stdin};

use hyper::Method;

use super::pull::{Loudness, show, show_messages};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::messages::Messages;
use crate::cli::options::reference;
use crate::cli::path::Query;
use crate::cli::{Session, upload};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image import", "import"],
    about: "Import the contents from a tarball to create a filesystem image",
    synopsis: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    flags: &[OPTIONS],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::list("change", "Apply a Dockerfile instruction to the image").short('c'),
    Flag::text("message", "Comment on the image").short('m'),
    Flag::text("platform", "Platform of the image"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let source = matches.operands[0].as_str();
    let is_url = source.starts_with("http://") || source.starts_with("https://");
    let mut query = Query::new(&["images", "create"])
        .with("fromSrc", if is_url { source } else { "-" })
        .with_some("message", matches.text("message"))
        .with_some("platform", matches.text("platform"));
    if let Some(name) = matches.operands.get(1) {
        let parsed = reference::parse(name);
        query = query
            .with("repo", parsed.name)
            .with_some("tag", parsed.version);
    }
    for change in matches.all("change") {
        query = query.with("changes", change);
    }
    if is_url {
        show(session, &query, Loudness::Output).await?;
        return Ok(0);
    }
    let reader: Box<dyn Read + Send> = match source {
        "-" => Box::new(stdin()),
        path => Box::new(File::open(path).map_err(|source| CliError::File {
            what: "open",
            path: path.to_owned(),
            source,
        })?),
    };
    let pieces = upload::pieces(reader);
    let response = session
        .client
        .send_stream(Method::POST, &query, "application/x-tar", pieces)
        .await?;
    show_messages(Messages::new(&query, response), Loudness::Output).await?;
    Ok(0)
}

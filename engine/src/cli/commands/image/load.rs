//! `docker load`.

use std::fs::File;
use std::io::{Read, stdin};

use hyper::Method;

use super::pull::{Loudness, show_messages};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::messages::Messages;
use crate::cli::path::Query;
use crate::cli::{Session, tty, upload};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image load", "load"],
    about: "Load an image from a tar archive or STDIN",
    synopsis: "[OPTIONS]",
    flags: &[OPTIONS],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::text("input", "Read from a file instead of stdin").short('i'),
    Flag::text("platform", "Load only this platform's variant")
        .refused("requires version 1.48 of the API: this client speaks 1.45"),
    Flag::switch("quiet", "Do not show the progress").short('q'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let reader: Box<dyn Read + Send> = match matches.text("input") {
        Some(path) => Box::new(File::open(path).map_err(|source| CliError::File {
            what: "open",
            path: path.to_owned(),
            source,
        })?),
        None if tty::has_input() => {
            return Err(CliError::Said(
                "requested load from stdin, but stdin is empty".to_owned(),
            ));
        }
        None => Box::new(stdin()),
    };
    let quiet = matches.on("quiet") || !tty::has_output();
    let query = Query::new(&["images", "load"]).with("quiet", if quiet { "1" } else { "0" });
    let pieces = upload::pieces(reader);
    let response = session
        .client
        .send_stream(Method::POST, &query, "application/x-tar", pieces)
        .await?;
    show_messages(Messages::new(&query, response), Loudness::Output).await?;
    Ok(0)
}

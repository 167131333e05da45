//! `docker save`.

use hyper::Method;

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::download::{self, Destination};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image save", "save"],
    about: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    synopsis: "[OPTIONS] IMAGE [IMAGE...]",
    flags: &[&[
        Flag::text("output", "Write to a file instead of stdout").short('o'),
        Flag::text("platform", "Save only this platform's variant")
            .refused("requires version 1.48 of the API: this client speaks 1.45"),
    ]],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let to = Destination::choose(matches.text("output"))?;
    let mut query = Query::new(&["images", "get"]);
    for name in &matches.operands {
        query = query.with("names", name);
    }
    let response = session
        .client
        .send(Method::GET, &query, Payload::Empty)
        .await?;
    download::write(&query, response, to).await?;
    Ok(0)
}

//! `docker logs`.

use std::io::{Write, stderr, stdout};

use http_body_util::BodyExt;
use hyper::Method;
use hyper::header::CONTENT_TYPE;

use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::demux::{Demux, Outputs};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::options::moment;
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container logs", "logs"],
    about: "Fetch the logs of a container",
    synopsis: "[OPTIONS] CONTAINER",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("details", "Show the attributes given to the log driver"),
    Flag::switch("follow", "Follow the output as it comes").short('f'),
    Flag::text(
        "since",
        "Only what came after this moment (RFC 3339, or \"42m\" for 42 minutes ago)",
    ),
    Flag::text("tail", "Number of lines from the end")
        .short('n')
        .default("all"),
    Flag::switch("timestamps", "Show when each line came").short('t'),
    Flag::text(
        "until",
        "Only what came before this moment (RFC 3339, or \"42m\")",
    ),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let name = &matches.operands[0];
    let moment = |option: &'static str| {
        matches
            .text(option)
            .map(|text| {
                moment::parse(text).map_err(|error| {
                    CliError::Said(format!("invalid value for \"{option}\": {error}"))
                })
            })
            .transpose()
    };
    let (since, until) = (moment("since")?, moment("until")?);
    let query = Query::new(&["containers", name, "logs"])
        .with("stdout", "1")
        .with("stderr", "1")
        .with_switch("follow", matches.on("follow"))
        .with_switch("timestamps", matches.on("timestamps"))
        .with_switch("details", matches.on("details"))
        .with("tail", matches.text("tail").unwrap_or("all"))
        .with_some("since", since.as_deref())
        .with_some("until", until.as_deref());
    let response = session
        .client
        .send(Method::GET, &query, Payload::Empty)
        .await?;
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    // Before version 1.42 the answer's type did not tell frames from plain bytes.
    let plain = match kind {
        Some("application/vnd.docker.multiplexed-stream") => false,
        _ => {
            let inspect = Query::new(&["containers", name, "json"]);
            session.client.get(&inspect).await?["Config"]["Tty"] == true
        }
    };
    let mut demux = Demux::default();
    let mut outputs = Outputs {
        out: stdout(),
        err: stderr(),
    };
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| CliError::Broken {
            doing: query.as_str().to_owned(),
            source,
        })?;
        let Some(bytes) = frame.data_ref() else {
            continue;
        };
        let written = match plain {
            true => outputs.out.write_all(bytes),
            false => demux.feed(bytes, &mut outputs),
        };
        written
            .and_then(|()| outputs.out.flush())
            .map_err(CliError::Output)?;
    }
    Ok(0)
}

//! `docker pull`, and the pull that `docker run` may begin with.

use std::io::{stderr, stdout};

use hyper::Method;

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands};
use crate::cli::credentials;
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::format::progress::{Progress, Screen};
use crate::cli::messages::Messages;
use crate::cli::options::reference;
use crate::cli::path::Query;
use crate::cli::{Session, output, tty};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image pull", "pull"],
    about: "Download an image from a registry",
    synopsis: "[OPTIONS] NAME[:TAG|@DIGEST]",
    flags: &[OPTIONS],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OPTIONS: &[Flag] = &[
    Flag::switch("all-tags", "Download every tag of the repository").short('a'),
    super::CONTENT_TRUST,
    Flag::text("platform", "Platform of the image, when there are several"),
    Flag::switch("quiet", "Print only the image's full name").short('q'),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let name = &matches.operands[0];
    if matches.on("all-tags") && reference::parse(name).version.is_some() {
        return Err(CliError::Said(
            "tag can't be used with --all-tags/-a".to_owned(),
        ));
    }
    if matches.on("all-tags") {
        let query = Query::new(&["images", "create"])
            .with("fromImage", name)
            .with_some("platform", matches.text("platform"))
            .with_registry_auth(credentials::header_for(session.config.directory(), name)?);
        return show(session, &query, Loudness::Output).await.map(|()| 0);
    }
    let loudness = if matches.on("quiet") {
        Loudness::Quiet
    } else {
        Loudness::Output
    };
    if reference::parse(name).version.is_none() && loudness == Loudness::Output {
        output::line("Using default tag: latest")?;
    }
    pull(session, name, matches.text("platform"), loudness).await?;
    output::line(&reference::canonical(name))?;
    Ok(0)
}

/// Where progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loudness {
    /// On stdout.
    Output,
    /// On stderr, because stdout is the container's.
    Errors,
    /// Nowhere.
    Quiet,
}

/// Pulls one image.
pub(crate) async fn pull(
    session: &Session,
    name: &str,
    platform: Option<&str>,
    loudness: Loudness,
) -> Result<(), CliError> {
    let full = reference::with_tag(name);
    let parsed = reference::parse(&full);
    let query = Query::new(&["images", "create"])
        .with("fromImage", parsed.name)
        .with_some("tag", parsed.version)
        .with_some("platform", platform)
        .with_registry_auth(credentials::header_for(session.config.directory(), name)?);
    show(session, &query, loudness).await
}

/// Posts a request and shows the progress that answers it.
pub(crate) async fn show(
    session: &Session,
    query: &Query,
    loudness: Loudness,
) -> Result<(), CliError> {
    let response = session
        .client
        .send(Method::POST, query, Payload::Empty)
        .await?;
    show_messages(Messages::new(query, response), loudness).await
}

/// Shows progress to its end.
pub(crate) async fn show_messages(
    mut messages: Messages,
    loudness: Loudness,
) -> Result<(), CliError> {
    let screen = |terminal: bool| {
        if terminal {
            Screen::Terminal(tty::width())
        } else {
            Screen::Plain
        }
    };
    let mut shown: Progress<Box<dyn std::io::Write>> = match loudness {
        Loudness::Output => Progress::new(Box::new(stdout()), screen(tty::has_output())),
        Loudness::Errors => Progress::new(Box::new(stderr()), screen(tty::has_errors())),
        Loudness::Quiet => Progress::new(Box::new(std::io::sink()), Screen::Plain),
    };
    while let Some(message) = messages.next().await? {
        shown.show(&message)?;
    }
    Ok(())
}

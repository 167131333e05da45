//! `docker run`: create, attach, wait, start, and pass everything on until the container ends.

use hyper::Method;
use serde_json::Value;

use super::create::{Created, create, explain};
use super::create_body::Presence;
use super::create_options::OPTIONS;
use crate::cli::attach::{Conversation, Ended, Input, Signals, Target};
use crate::cli::client::{Payload, collect};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::wire::Stdio;
use crate::cli::{Session, output, tty};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container run", "run"],
    about: "Create and run a new container from an image",
    synopsis: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    flags: &[OPTIONS, OWN],
    operands: Operands::AtLeast(1),
    order: Order::First,
    run: |session, matches| Box::pin(run(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch(
        "detach",
        "Run in the background and print the container's id",
    )
    .short('d'),
    Flag::text(
        "detach-keys",
        "Keys that leave the container without stopping it",
    )
    .default("ctrl-p,ctrl-q"),
    Flag::switch("sig-proxy", "Pass received signals on to the process").default("true"),
];

async fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let presence = if matches.on("detach") {
        Presence::Detached
    } else {
        Presence::Attached
    };
    if presence == Presence::Detached && !matches.all("attach").is_empty() {
        return Err(CliError::Said(
            "conflicting options: cannot specify both --attach and --detach".to_owned(),
        ));
    }
    if presence == Presence::Attached
        && matches.on("interactive")
        && matches.on("tty")
        && !tty::has_input()
    {
        return Err(CliError::Said("the input device is not a TTY".to_owned()));
    }
    let result = match create(session, matches, presence).await {
        Err(error) => Err(error),
        Ok(created) if presence == Presence::Detached => detached(session, &created).await,
        Ok(created) => attached(session, matches, &created).await,
    };
    result.map_err(|error| explain(error, "run"))
}

async fn detached(session: &Session, created: &Created) -> Result<u8, CliError> {
    session
        .client
        .post(&start(&created.id), Payload::Empty)
        .await?;
    output::line(&created.id)?;
    Ok(0)
}

async fn attached(session: &Session, matches: &Matches, created: &Created) -> Result<u8, CliError> {
    let wants = |key: &str| created.body[key].as_bool().unwrap_or(false);
    let query = Query::new(&["containers", &created.id, "attach"])
        .with("stream", "1")
        .with_switch("stdin", wants("AttachStdin"))
        .with_switch("stdout", wants("AttachStdout"))
        .with_switch("stderr", wants("AttachStderr"));
    let stdio = if matches.on("tty") {
        Stdio::Raw
    } else {
        Stdio::Multiplexed
    };
    let wire = session.client.hijack(&query, Payload::Empty, stdio).await?;
    let input = if wants("AttachStdin") {
        Input::Forward
    } else {
        Input::Keep
    };
    let condition = if matches.on("rm") {
        "removed"
    } else {
        "next-exit"
    };
    // Asked before the start: a short life must not end unnoticed.
    let exit = Exit::of(session, &created.id, condition).await?;
    let conversation = Conversation::start(wire, input, session.detach_keys(matches)?)?;
    session
        .client
        .post(&start(&created.id), Payload::Empty)
        .await?;
    let signals = if matches.on("sig-proxy") {
        Signals::Proxied
    } else {
        Signals::Kept
    };
    let target = Target::Container(created.id.clone());
    match conversation
        .follow(&session.client, &target, signals)
        .await?
    {
        Ended::Detached => Ok(0),
        Ended::Output => exit.code().await,
    }
}

fn start(id: &str) -> Query {
    Query::new(&["containers", id, "start"])
}

/// The end of a container, asked for and yet to come.
pub(super) struct Exit {
    query: Query,
    response: hyper::Response<hyper::body::Incoming>,
}

impl Exit {
    /// Asks to be told; the daemon answers at once and sends the code when it is known.
    pub(super) async fn of(session: &Session, id: &str, condition: &str) -> Result<Self, CliError> {
        let query = Query::new(&["containers", id, "wait"]).with("condition", condition);
        let response = session
            .client
            .send(Method::POST, &query, Payload::Empty)
            .await?;
        Ok(Self { query, response })
    }

    /// The container's exit code.
    pub(super) async fn code(self) -> Result<u8, CliError> {
        let body = collect(&self.query, self.response).await?;
        let answer: Value = serde_json::from_slice(&body).map_err(|error| CliError::Nonsense {
            doing: self.query.as_str().to_owned(),
            why: error.to_string(),
        })?;
        if let Some(message) = answer["Error"]["Message"].as_str() {
            return Err(CliError::Said(format!(
                "Error waiting for container: {message}"
            )));
        }
        // Exit codes are one byte; 255 stands for what is none.
        let code = answer["StatusCode"].as_i64().unwrap_or(125);
        Ok(u8::try_from(code).unwrap_or(255))
    }
}

//! `docker stop`, `restart`, `kill`, `pause` and `unpause`: one request for each container.

use crate::cli::client::Payload;
use crate::cli::commands::{Command, Operands, each};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};

const SEVERAL: &str = "[OPTIONS] CONTAINER [CONTAINER...]";

const STOP_OPTIONS: &[Flag] = &[
    Flag::text("signal", "Signal to send instead of the container's own").short('s'),
    Flag::int("timeout", "Seconds to wait before a kill")
        .short('t')
        .deprecated("time"),
];

/// `docker stop`
pub(crate) static STOP: Command = Command {
    paths: &["container stop", "stop"],
    about: "Stop one or more running containers",
    synopsis: SEVERAL,
    flags: &[STOP_OPTIONS],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(stop(session, matches, "stop")),
};

/// `docker restart`
pub(crate) static RESTART: Command = Command {
    paths: &["container restart", "restart"],
    about: "Restart one or more containers",
    synopsis: SEVERAL,
    flags: &[STOP_OPTIONS],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(stop(session, matches, "restart")),
};

/// `docker kill`
pub(crate) static KILL: Command = Command {
    paths: &["container kill", "kill"],
    about: "Kill one or more running containers",
    synopsis: SEVERAL,
    flags: &[&[Flag::text("signal", "Signal to send").short('s')]],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| {
        Box::pin(async move {
            let signal = matches.text("signal");
            post_each(session, matches, "kill", |query| {
                query.with_some("signal", signal)
            })
            .await
        })
    },
};

/// `docker pause`
pub(crate) static PAUSE: Command = Command {
    paths: &["container pause", "pause"],
    about: "Pause all processes within one or more containers",
    synopsis: "CONTAINER [CONTAINER...]",
    flags: &[],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(post_each(session, matches, "pause", |query| query)),
};

/// `docker unpause`
pub(crate) static UNPAUSE: Command = Command {
    paths: &["container unpause", "unpause"],
    about: "Unpause all processes within one or more containers",
    synopsis: "CONTAINER [CONTAINER...]",
    flags: &[],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(post_each(session, matches, "unpause", |query| query)),
};

async fn stop(session: &Session, matches: &Matches, verb: &'static str) -> Result<u8, CliError> {
    let seconds = matches.text("timeout");
    let signal = matches.text("signal");
    post_each(session, matches, verb, |query| {
        query.with_some("signal", signal).with_some("t", seconds)
    })
    .await
}

async fn post_each(
    session: &Session,
    matches: &Matches,
    verb: &'static str,
    parameters: impl Fn(Query) -> Query,
) -> Result<u8, CliError> {
    let parameters = &parameters;
    each(&matches.operands, async |name| {
        let query = parameters(Query::new(&["containers", name, verb]));
        session.client.post(&query, Payload::Empty).await?;
        output::line(name)
    })
    .await
}

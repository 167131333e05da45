//! `docker network inspect`.

use crate::cli::commands::container::inspect::{FORMAT, inspect_documents};
use crate::cli::commands::{Command, Operands};
use crate::cli::flags::{Flag, Order};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["network inspect"],
    about: "Display detailed information on one or more networks",
    synopsis: "[OPTIONS] NETWORK [NETWORK...]",
    flags: &[
        FORMAT,
        &[Flag::switch("verbose", "Show what helps to find errors").short('v')],
    ],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| {
        Box::pin(inspect_documents(matches, async |name| {
            let query = Query::new(&["networks", name]);
            session
                .client
                .get(&query.with_switch("verbose", matches.on("verbose")))
                .await
        }))
    },
};

//! `docker image inspect`.

use crate::cli::commands::container::inspect::{FORMAT, inspect_documents};
use crate::cli::commands::{Command, Operands};
use crate::cli::flags::{Flag, Order};
use crate::cli::path::Query;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["image inspect"],
    about: "Display detailed information on one or more images",
    synopsis: "[OPTIONS] IMAGE [IMAGE...]",
    flags: &[
        FORMAT,
        &[Flag::text("platform", "Show this platform's variant")
            .refused("requires version 1.49 of the API: this client speaks 1.45")],
    ],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| {
        Box::pin(inspect_documents(matches, async |name| {
            session
                .client
                .get(&Query::new(&["images", name, "json"]))
                .await
        }))
    },
};

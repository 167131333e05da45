//! `docker wait`.

use super::run::Exit;
use crate::cli::commands::{Command, Operands, each};
use crate::cli::flags::Order;
use crate::cli::output;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["container wait", "wait"],
    about: "Block until one or more containers stop, then print their exit codes",
    synopsis: "CONTAINER [CONTAINER...]",
    flags: &[],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| {
        Box::pin(each(&matches.operands, async |name| {
            let exit = Exit::of(session, name, "not-running").await?;
            output::line(&exit.code().await?.to_string())
        }))
    },
};

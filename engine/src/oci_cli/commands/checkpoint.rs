//! `checkpoint` and `restore`: refused in so many words.

use super::{Call, Command};
use crate::oci_cli::error::CliError;

pub(super) const COMMAND: Command = Command {
    name: "checkpoint",
    help: "not supported",
    arguments: "<container-id>",
    flags: &[],
    run: refuse,
};

pub(super) const RESTORE: Command = Command {
    name: "restore",
    help: "not supported",
    arguments: "<container-id>",
    flags: &[],
    run: refuse,
};

fn refuse(_: &Call<'_>) -> Result<i32, CliError> {
    Err(CliError::Unsupported(
        "checkpoint and restore are not supported by this runtime",
    ))
}

//! Commands about images.

pub(crate) mod ls;
pub(crate) mod pull;
mod rm;
mod tag;

mod build;
mod explore;
mod history;
mod import;
mod inspect;
mod load;
pub(crate) mod prune;
mod push;
mod save;
mod search;

use super::Command;
use crate::cli::flags::Flag;

/// What Docker's client takes when signatures are asked for; there are none here to verify.
pub(crate) const CONTENT_TRUST: Flag = Flag::switch(
    "disable-content-trust",
    "Do not verify signatures of images",
)
.default("true")
.refused("can only be true: signatures of images are not verified here");

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[
    &build::COMMAND,
    &explore::COMMAND,
    &history::COMMAND,
    &import::COMMAND,
    &inspect::COMMAND,
    &load::COMMAND,
    &ls::COMMAND,
    &prune::COMMAND,
    &pull::COMMAND,
    &push::COMMAND,
    &rm::COMMAND,
    &save::COMMAND,
    &search::COMMAND,
    &tag::COMMAND,
];

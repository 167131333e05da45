//! `docker completion`, and the hidden `docker __complete` that the shells' scripts ask.
//!
//! The scripts know nothing of Docker: they hand over the words of the line and show what comes
//! back, one candidate on each line with what it is behind a tab. A last line `:files` says that
//! a file of this machine may stand there too.

mod candidates;
mod daemon;

use super::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::Order;
use crate::cli::output;

/// Both commands; they belong to no group.
pub(crate) static COMMANDS: &[&Command] = &[&COMPLETION, &COMPLETE];

static COMPLETION: Command = Command {
    paths: &["completion"],
    about: "Generate the autocompletion script for the specified shell",
    synopsis: "bash|zsh|fish",
    flags: &[],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |_, matches| {
        Box::pin(async {
            let shell = matches.operands[0].as_str();
            output::print(match shell {
                "bash" => include_str!("docker.bash"),
                "zsh" => include_str!("docker.zsh"),
                "fish" => include_str!("docker.fish"),
                _ => {
                    return Err(CliError::Said(format!(
                        "docker completion: no script for the shell \"{shell}\": there are bash, \
                         zsh and fish"
                    )));
                }
            })?;
            Ok(0)
        })
    },
};

static COMPLETE: Command = Command {
    paths: &["__complete"],
    about: "What may stand at the end of a command line",
    synopsis: "[WORD...]",
    flags: &[],
    operands: Operands::Any,
    // The words are those of another call: none of their options is ours.
    order: Order::First,
    run: |session, matches| Box::pin(candidates::run(session, &matches.operands)),
};

//! `docker context rm`.

use crate::cli::commands::{Command, Operands, each};
use crate::cli::config::Config;
use crate::cli::context::DEFAULT;
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["context rm", "context remove"],
    about: "Remove one or more contexts",
    synopsis: "CONTEXT [CONTEXT...]",
    flags: &[&[Flag::switch("force", "Remove a context that is in use too").short('f')]],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| {
        Box::pin(each(&matches.operands, async |name| {
            remove(session, matches, name)?;
            output::line(name)
        }))
    },
};

fn remove(session: &Session, matches: &Matches, name: &str) -> Result<(), CliError> {
    if name == DEFAULT {
        return Err(CliError::Said(
            "context \"default\" cannot be removed".to_owned(),
        ));
    }
    let force = matches.on("force");
    let store = session.contexts();
    if !store.has(name) && !force {
        return Err(CliError::Said(format!("context \"{name}\" does not exist")));
    }
    if name == session.context {
        if !force {
            return Err(CliError::Said(format!(
                "context \"{name}\" is in use, set -f flag to force remove"
            )));
        }
        let (mut config, _) = Config::load(session.config.directory());
        if config.text("currentContext") == Some(name) {
            config.set("currentContext", None);
            config.save()?;
        }
    }
    if store.has(name) {
        store.remove(name)?;
    }
    Ok(())
}

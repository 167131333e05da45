//! `docker context use` and `docker context show`.

use crate::cli::commands::{Command, Operands};
use crate::cli::config::Config;
use crate::cli::context::{self, DEFAULT};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::{Session, output};

/// `docker context use`
pub(crate) static USE: Command = Command {
    paths: &["context use"],
    about: "Set the current docker context",
    synopsis: "CONTEXT",
    flags: &[],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(async move { select(session, matches) }),
};

/// `docker context show`
pub(crate) static SHOW: Command = Command {
    paths: &["context show"],
    about: "Print the name of the current context",
    synopsis: "",
    flags: &[],
    operands: Operands::None,
    order: Order::Anywhere,
    run: |session, _| {
        Box::pin(async {
            output::line(&session.context)?;
            Ok(0)
        })
    },
};

fn select(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let [name] = matches.operands.as_slice() else {
        return Err(CliError::Said(format!(
            "accepts 1 arg(s), received {}",
            matches.operands.len()
        )));
    };
    if name != DEFAULT {
        session.contexts().load(name)?;
    }
    let (mut config, _) = Config::load(session.config.directory());
    let wanted = (name != DEFAULT).then(|| name.as_str().into());
    if config.get("currentContext") != wanted.as_ref() {
        config.set("currentContext", wanted);
        config.save()?;
    }
    output::line(name)?;
    output::complain(&format!("Current context is now \"{name}\""));
    if name != DEFAULT && context::variable("DOCKER_HOST").is_some() {
        output::complain(&format!(
            "Warning: DOCKER_HOST environment variable overrides the active context. To use \
             \"{name}\", either set the global --context flag, or unset DOCKER_HOST environment \
             variable."
        ));
    }
    Ok(0)
}

//! `docker context update`.

use super::create::{DESCRIBED, Daemon};
use crate::cli::commands::{Command, Operands};
use crate::cli::context::store::check_name;
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["context update"],
    about: "Update a context\n\nThe keys of --docker are those of 'docker context create'; a \
            daemon is replaced whole.",
    synopsis: "[OPTIONS] CONTEXT",
    flags: &[DESCRIBED],
    operands: Operands::Exactly(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(async move { run(session, matches) }),
};

fn run(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let name = &matches.operands[0];
    check_name(name)?;
    let store = session.contexts();
    let mut context = store.load(name)?;
    if let Some(text) = matches.text("description") {
        context.describe(text);
    }
    let daemon = Daemon::parse(matches)?;
    let replaced = daemon
        .map(|daemon| daemon.resolve(session, &store))
        .transpose()?;
    if let Some((other, material)) = replaced {
        context.host = other.host;
        context.skip_verify = other.skip_verify;
        store.save_tls(name, &material)?;
    }
    store.save(&context)?;
    output::line(name)?;
    output::complain(&format!("Successfully updated context \"{name}\""));
    Ok(0)
}

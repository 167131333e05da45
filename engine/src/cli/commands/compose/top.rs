//! `docker compose top`.

use super::{PROJECT, docker, scope};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Matches, Order};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose top"],
    about: "Display the running processes",
    synopsis: "[SERVICE...]",
    flags: &[PROJECT],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(top(session, matches)),
};

async fn top(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let all = scope::containers(session, &name).await?;
    for container in scope::of_services(all, &matches.operands)? {
        if container.is_running() {
            output::line(&container.name)?;
            docker(
                session,
                "container top",
                std::slice::from_ref(&container.id),
            )
            .await?;
            output::line("")?;
        }
    }
    Ok(0)
}

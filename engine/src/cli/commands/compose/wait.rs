//! `docker compose wait`.

use futures_util::future::{join_all, select_all};

use super::{PROJECT, scope, waiting};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, output};

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose wait"],
    about: "Block until containers of all (or specified) services stop.",
    synopsis: "SERVICE [SERVICE...] [OPTIONS]",
    flags: &[PROJECT, OWN],
    operands: Operands::AtLeast(1),
    order: Order::Anywhere,
    run: |session, matches| Box::pin(wait(session, matches)),
};

const OWN: &[Flag] = &[Flag::switch(
    "down-project",
    "Drops project when the first container stops",
)];

async fn wait(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, _) = scope::name_or_project(matches)?;
    let all = scope::containers(session, &name).await?;
    let chosen = scope::of_services(all, &matches.operands)?;
    let ends = chosen
        .iter()
        .map(|one| Box::pin(waiting::exit_code(session, &one.id)));
    if matches.on("down-project") {
        let (code, index, _) = select_all(ends).await;
        let code = code?;
        output::line(&format!(
            "container \"{}\" exited with status code {code}",
            chosen[index].name
        ))?;
        super::docker(session, "compose down", &[format!("--project-name={name}")]).await?;
        return Ok(u8::try_from(code).unwrap_or(255));
    }
    let mut last = 0;
    for (one, code) in chosen.iter().zip(join_all(ends).await) {
        let code = code?;
        output::line(&format!(
            "container \"{}\" exited with status code {code}",
            one.name
        ))?;
        last = code;
    }
    Ok(u8::try_from(last).unwrap_or(255))
}

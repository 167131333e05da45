//! `docker compose down`.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::converge::{self, Volumes};
use super::report::Report;
use super::scope::{self, Container};
use super::{PROJECT, networks, volumes};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::path::Query;
use crate::cli::{Session, output};
use crate::compose::order;
use crate::compose::project::Project;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose down"],
    about: "Stop and remove containers, networks",
    synopsis: "[OPTIONS] [SERVICES]",
    flags: &[PROJECT, OWN],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(down(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch("remove-orphans", "Remove containers for services not defined in the Compose file"),
    Flag::text("rmi", "Remove images used by services (\"local\"|\"all\")"),
    Flag::int("timeout", "Specify a shutdown timeout in seconds").short('t'),
    Flag::switch("volumes", "Remove named volumes declared in the \"volumes\" section of the Compose file and anonymous volumes attached to containers").short('v'),
];

async fn down(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let (name, project) = scope::name_or_project(matches)?;
    let rmi = matches.text("rmi");
    if let Some(kind) = rmi.filter(|kind| !matches!(*kind, "local" | "all")) {
        return Err(CliError::Said(format!(
            "invalid value for --rmi: \"{kind}\": local or all was expected"
        )));
    }
    let report = Report::of(matches);
    let found = scope::containers(session, &name).await?;
    let is_known = |container: &Container| match &project {
        None => true,
        Some(project) => {
            project.services.contains_key(&container.service)
                || project.disabled.contains_key(&container.service)
                || matches.on("remove-orphans")
        }
    };
    let (gone, orphans): (Vec<Container>, Vec<Container>) = found
        .into_iter()
        .filter(|container| {
            matches.operands.is_empty() || matches.operands.contains(&container.service)
        })
        .partition(is_known);
    if !orphans.is_empty() {
        let names: Vec<&str> = orphans.iter().map(|one| one.name.as_str()).collect();
        output::complain(&format!(
            "WARN: Found orphan containers ([{}]) for this project. If you removed or renamed this service in \
             your compose file, you can run this command with the --remove-orphans flag to clean it up.",
            names.join(" ")
        ));
    }
    let volumes_go = match matches.on("volumes") {
        true => Volumes::Remove,
        false => Volumes::Keep,
    };
    for level in levels(project.as_ref(), &gone)? {
        let removals = gone
            .iter()
            .filter(|container| level.contains(&container.service))
            .map(|container| async {
                let (id, name) = (&container.id, &container.name);
                if container.is_running() {
                    converge::stop(session, id, name, matches.int("timeout"), report).await?;
                }
                report.step("Container", name, "Removing");
                converge::delete(session, id, volumes_go).await?;
                report.step("Container", name, "Removed");
                Ok::<(), CliError>(())
            });
        join_all(removals)
            .await
            .into_iter()
            .collect::<Result<(), _>>()?;
    }
    if !matches.operands.is_empty() {
        return Ok(0);
    }
    networks::remove(session, &name, report).await?;
    if matches.on("volumes") {
        volumes::remove(session, &name, report).await?;
    }
    if let Some(kind) = rmi {
        images(session, project.as_ref(), &gone, kind, report).await?;
    }
    Ok(0)
}

/// Groups of services: who needs others goes before them.
fn levels(
    project: Option<&Project>,
    gone: &[Container],
) -> Result<Vec<BTreeSet<String>>, CliError> {
    let mut rest: BTreeSet<String> = gone.iter().map(|one| one.service.clone()).collect();
    let mut levels = Vec::new();
    if let Some(project) = project {
        for level in order::levels(&project.services)
            .map_err(scope::said)?
            .into_iter()
            .rev()
        {
            for name in &level {
                rest.remove(name);
            }
            levels.push(level.into_iter().collect());
        }
    }
    levels.insert(0, rest);
    Ok(levels)
}

/// `local` are the images that have no name in the file.
async fn images(
    session: &Session,
    project: Option<&Project>,
    gone: &[Container],
    kind: &str,
    report: Report,
) -> Result<(), CliError> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for container in gone {
        let own_name = project
            .and_then(|project| project.services.get(&container.service))
            .is_some_and(|service| service.image.is_some());
        if kind == "all" || !own_name {
            names.insert(
                container.listed["Image"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
    }
    for name in names {
        report.step("Image", &name, "Removing");
        match session.client.delete(&Query::new(&["images", &name])).await {
            Err(error) if error.is_not_found() => {}
            Err(CliError::Daemon { status: 409, .. }) => {
                report.step("Image", &name, "Resource is still in use");
                continue;
            }
            removed => drop(removed?),
        }
        report.step("Image", &name, "Removed");
    }
    Ok(())
}

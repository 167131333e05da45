//! The project a command is about, and what the daemon has of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::flags::Matches;
use crate::cli::path::Query;
use crate::cli::{Session, output};
use crate::compose::body;
use crate::compose::error::ComposeError;
use crate::compose::project::{Consistency, Project, Source};
use crate::compose::service::Service;

/// A container of a project, as the daemon lists it.
#[derive(Clone, Debug)]
pub(super) struct Container {
    /// Full id.
    pub(super) id: String,
    /// Its name, without the slash.
    pub(super) name: String,
    /// The service it belongs to.
    pub(super) service: String,
    /// Which of the service's containers.
    pub(super) number: u32,
    /// What it was made from.
    pub(super) hash: String,
    /// The id of its image.
    pub(super) image: String,
    /// `running`, `exited` …
    pub(super) state: String,
    /// Whether `run` made it.
    pub(super) is_one_off: bool,
    /// The whole entry of the list.
    pub(super) listed: Value,
}

impl Container {
    fn read(listed: &Value) -> Self {
        let label = |key: &str| {
            listed["Labels"][key]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let text = |key: &str| listed[key].as_str().unwrap_or_default().to_owned();
        let name = listed["Names"][0].as_str().unwrap_or_default();
        Self {
            id: text("Id"),
            name: name.trim_start_matches('/').to_owned(),
            service: label(body::SERVICE),
            number: label(body::NUMBER).parse().unwrap_or(0),
            hash: label(body::HASH),
            image: text("ImageID"),
            state: text("State"),
            is_one_off: label(body::ONE_OFF).eq_ignore_ascii_case("true"),
            listed: listed.clone(),
        }
    }

    /// Whether a process runs in it.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused" | "restarting")
    }

    /// `web-1`: how its output is marked.
    pub(super) fn mark(&self) -> String {
        match self.is_one_off {
            true => self.name.clone(),
            false => format!("{}-{}", self.service, self.number),
        }
    }
}

/// Loads the project; its warnings go to stderr.
pub(super) fn project(matches: &Matches, wanted: &[String]) -> Result<Project, CliError> {
    let project = Project::load(&source(matches, wanted)).map_err(said)?;
    for warning in &project.warnings {
        output::complain(&format!("WARN: {warning}"));
    }
    Ok(project)
}

/// The project's name, and the project itself when its files are found: `-p NAME` alone is enough for commands
/// about what is already there.
pub(super) fn name_or_project(matches: &Matches) -> Result<(String, Option<Project>), CliError> {
    match Project::load(&source(matches, &[])) {
        Ok(project) => Ok((project.name.clone(), Some(project))),
        Err(ComposeError::NoFile) => match matches.text("project-name") {
            Some(name) => Ok((name.to_owned(), None)),
            None => Err(said(ComposeError::NoFile)),
        },
        Err(error) => Err(said(error)),
    }
}

/// The merged files with their variables as they are written, and the project's name.
pub(super) fn unresolved(matches: &Matches) -> Result<(String, Value), CliError> {
    Project::unresolved(&source(matches, &[])).map_err(said)
}

/// A sentence of `crate::compose` as one of this command line.
pub(super) fn said(error: ComposeError) -> CliError {
    CliError::Said(error.to_string())
}

fn source(matches: &Matches, wanted: &[String]) -> Source {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    Source {
        files: matches.all("file").iter().map(PathBuf::from).collect(),
        directory: matches.text("project-directory").map(PathBuf::from),
        name: matches.text("project-name").map(str::to_owned),
        env_files: matches.all("env-file").iter().map(PathBuf::from).collect(),
        profiles: matches.all("profile").to_vec(),
        wanted: wanted.to_vec(),
        consistency: if matches.given("no-consistency") && matches.on("no-consistency") {
            Consistency::Taken
        } else {
            Consistency::Checked
        },
        environment,
    }
}

/// The project's containers, oldest number first.
pub(super) async fn containers(
    session: &Session,
    project: &str,
) -> Result<Vec<Container>, CliError> {
    let filters = json!({ "label": [format!("{}={project}", body::PROJECT)] });
    let query = Query::new(&["containers", "json"])
        .with("all", "1")
        .with("filters", &filters.to_string());
    let answer = session.client.get(&query).await?;
    let mut found: Vec<Container> = answer
        .as_array()
        .into_iter()
        .flatten()
        .map(Container::read)
        .collect();
    found.sort_by(|a, b| (&a.service, a.number, &a.name).cmp(&(&b.service, b.number, &b.name)));
    Ok(found)
}

/// Those of the services named by `services`; all of them when none is named. Containers of `run` are left out.
pub(super) fn of_services(
    containers: Vec<Container>,
    services: &[String],
) -> Result<Vec<Container>, CliError> {
    for name in services {
        if !containers
            .iter()
            .any(|container| container.service == *name)
        {
            return Err(said(ComposeError::NoService(name.clone())));
        }
    }
    Ok(containers
        .into_iter()
        .filter(|container| !container.is_one_off)
        .filter(|container| services.is_empty() || services.contains(&container.service))
        .collect())
}

/// The container of a service with this number; the first when the number is 0.
pub(super) async fn container(
    session: &Session,
    project: &str,
    service: &str,
    number: i64,
) -> Result<Container, CliError> {
    let found = containers(session, project).await?;
    let mut of_it = found
        .into_iter()
        .filter(|container| container.service == service && !container.is_one_off);
    match number {
        0 => of_it.next(),
        number => of_it.find(|container| i64::from(container.number) == number),
    }
    .ok_or_else(|| {
        CliError::Said(match number {
            0 => format!("service \"{service}\" is not running"),
            number => format!("service \"{service}\" is not running container #{number}"),
        })
    })
}

/// A service that is on.
pub(super) fn service<'p>(project: &'p Project, name: &str) -> Result<&'p Service, CliError> {
    project
        .services
        .get(name)
        .ok_or_else(|| said(ComposeError::NoService(name.to_owned())))
}

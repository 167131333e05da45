//! What is there becomes what is wanted: the steps of `crate::compose::plan`, performed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;

use super::report::Report;
use super::scope::{self, Container};
use super::{images, networks, place, volumes, waiting};
use crate::cli::Session;
use crate::cli::client::Payload;
use crate::cli::error::CliError;
use crate::cli::path::Query;
use crate::compose::body::{self, Purpose, Wanted};
use crate::compose::order;
use crate::compose::plan::{self, Present, Replace, Step, Target};
use crate::compose::project::Project;

/// How `up` and `create` go about it.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The services asked for; all of them when empty.
    pub(super) services: Vec<String>,
    /// Whether the services they need come along.
    pub(super) with_needs: bool,
    /// Which containers are replaced.
    pub(super) replace: Replace,
    /// Whether volumes that images declare start empty.
    pub(super) renew_volumes: bool,
    /// How many containers, by service.
    pub(super) scale: BTreeMap<String, u32>,
    /// Whether containers of services that are no more are removed.
    pub(super) remove_orphans: bool,
    /// Seconds between the stop signal and the kill.
    pub(super) timeout: Option<i64>,
    /// How images come to be.
    pub(super) images: images::Policy,
    /// What is told.
    pub(super) report: Report,
}

impl Options {
    /// The services that are dealt with.
    pub(super) fn chosen(&self, project: &Project) -> Result<BTreeSet<String>, CliError> {
        for name in &self.services {
            scope::service(project, name)?;
        }
        Ok(match (self.services.is_empty(), self.with_needs) {
            (true, _) => project.services.keys().cloned().collect(),
            (false, true) => order::with_needs(&project.services, &self.services),
            (false, false) => self.services.iter().cloned().collect(),
        })
    }
}

/// Makes networks, volumes, images and containers; starts nothing.
pub(super) async fn create(
    session: &Session,
    project: &Project,
    options: &Options,
) -> Result<(), CliError> {
    let chosen = options.chosen(project)?;
    // What cannot be said to the daemon is found before anything is made.
    for name in &chosen {
        wanted(project, name, 1, &BTreeMap::new())?;
    }
    let image_ids = images::ensure(session, project, &chosen, &options.images).await?;
    networks::ensure(session, project, options.report).await?;
    volumes::ensure(session, project, options.report).await?;
    let present = scope::containers(session, &project.name).await?;
    orphans(session, project, &present, options).await?;
    for level in order::levels(&project.services).map_err(scope::said)? {
        let services = level
            .iter()
            .filter(|name| chosen.contains(*name))
            .map(|name| service(session, project, name, &image_ids[name], &present, options));
        join_all(services)
            .await
            .into_iter()
            .collect::<Result<(), _>>()?;
    }
    Ok(())
}

/// Starts the containers of the chosen services, each after what it depends on. The answer is what was started.
pub(super) async fn start(
    session: &Session,
    project: &Project,
    chosen: &BTreeSet<String>,
    report: Report,
) -> Result<Vec<Container>, CliError> {
    let mut started = Vec::new();
    for level in order::levels(&project.services).map_err(scope::said)? {
        let present = scope::containers(session, &project.name).await?;
        let services = level
            .iter()
            .filter(|name| chosen.contains(*name))
            .map(|name| start_service(session, project, name, &present, report));
        for of_service in join_all(services).await {
            started.extend(of_service?);
        }
    }
    Ok(started)
}

async fn start_service(
    session: &Session,
    project: &Project,
    name: &str,
    present: &[Container],
    report: Report,
) -> Result<Vec<Container>, CliError> {
    let asleep: Vec<&Container> = present
        .iter()
        .filter(|container| container.service == name && !container.is_one_off)
        .filter(|container| !container.is_running())
        .collect();
    if asleep.is_empty() {
        return Ok(Vec::new());
    }
    for (dependency, terms) in &project.services[name].depends_on {
        let containers = present
            .iter()
            .filter(|container| container.service == *dependency && !container.is_one_off);
        for container in containers {
            let condition = terms.condition;
            if condition != crate::compose::service::Condition::ServiceStarted {
                report.step("Container", &container.name, "Waiting");
            }
            match waiting::reach(session, container, condition).await {
                Ok(()) => {}
                Err(_) if !terms.required => {}
                Err(error) => {
                    report.step("Container", &container.name, "Error");
                    return Err(error);
                }
            }
            if condition == crate::compose::service::Condition::ServiceHealthy {
                report.step("Container", &container.name, "Healthy");
            }
        }
    }
    let starts = asleep.iter().map(|container| async {
        report.step("Container", &container.name, "Starting");
        let query = Query::new(&["containers", &container.id, "start"]);
        session.client.post(&query, Payload::Empty).await?;
        report.step("Container", &container.name, "Started");
        Ok::<(), CliError>(())
    });
    join_all(starts)
        .await
        .into_iter()
        .collect::<Result<(), _>>()?;
    Ok(asleep.into_iter().cloned().collect())
}

/// The steps of one service.
async fn service(
    session: &Session,
    project: &Project,
    name: &str,
    image: &str,
    present: &[Container],
    options: &Options,
) -> Result<(), CliError> {
    let service = &project.services[name];
    let there: Vec<Present> = present
        .iter()
        .filter(|container| container.service == name && !container.is_one_off)
        .map(|container| Present {
            id: container.id.clone(),
            number: container.number,
            hash: container.hash.clone(),
            image: container.image.clone(),
            is_running: container.is_running(),
        })
        .collect();
    let target = Target {
        replicas: options
            .scale
            .get(name)
            .copied()
            .unwrap_or_else(|| service.replicas()),
        hash: body::hash(project, service).map_err(scope::said)?,
        image: image.to_owned(),
    };
    let name_of = |id: &str| {
        present
            .iter()
            .find(|container| container.id == id)
            .map_or_else(|| id.to_owned(), |container| container.name.clone())
    };
    let steps = plan::steps(&target, there, options.replace)
        .into_iter()
        .map(|step| {
            let name_of = &name_of;
            async move {
                match step {
                    Step::Create(number) => {
                        let wanted = wanted(project, name, number, &BTreeMap::new())?;
                        options.report.step("Container", &wanted.name, "Creating");
                        make(session, &wanted).await?;
                        options.report.step("Container", &wanted.name, "Created");
                    }
                    Step::Recreate(old) => {
                        recreate(session, project, name, &old, &name_of(&old.id), options).await?;
                    }
                    Step::Start(_) | Step::Keep(_) => {}
                    Step::Remove(old) => {
                        let name = name_of(&old.id);
                        stop(session, &old.id, &name, options.timeout, options.report).await?;
                        remove(session, &old.id, &name, options.report).await?;
                    }
                }
                Ok::<(), CliError>(())
            }
        });
    join_all(steps).await.into_iter().collect()
}

fn wanted(
    project: &Project,
    name: &str,
    number: u32,
    inherited: &BTreeMap<String, String>,
) -> Result<Wanted, CliError> {
    body::container(
        project,
        name,
        &project.services[name],
        &Purpose::Replica(number),
        inherited,
    )
    .map_err(scope::said)
}

/// Makes a container with its networks and files; none is left when one of these fails.
pub(super) async fn make(session: &Session, wanted: &Wanted) -> Result<String, CliError> {
    let query = Query::new(&["containers", "create"]).with("name", &wanted.name);
    let created = session
        .client
        .post(&query, Payload::Json(wanted.body.clone()))
        .await?;
    for warning in created["Warnings"].as_array().into_iter().flatten() {
        crate::cli::output::complain(&format!("WARN: {}", warning.as_str().unwrap_or_default()));
    }
    let id = created["Id"].as_str().unwrap_or_default().to_owned();
    let furnished = furnish(session, &id, wanted).await;
    if let Err(error) = furnished {
        // The first failure is the one to tell; what the removal says would hide it.
        let query = Query::new(&["containers", &id]).with("force", "1");
        let _ = session.client.delete(&query).await;
        return Err(error);
    }
    Ok(id)
}

async fn furnish(session: &Session, id: &str, wanted: &Wanted) -> Result<(), CliError> {
    for (network, settings) in &wanted.networks {
        let query = Query::new(&["networks", network, "connect"]);
        let body = serde_json::json!({ "Container": id, "EndpointConfig": settings });
        session.client.post(&query, Payload::Json(body)).await?;
    }
    place::put(session, id, &wanted.files).await
}

/// Puts a new container in the place of `old`; the old one comes back when that fails.
async fn recreate(
    session: &Session,
    project: &Project,
    name: &str,
    old: &Present,
    old_name: &str,
    options: &Options,
) -> Result<(), CliError> {
    let report = options.report;
    report.step("Container", old_name, "Recreate");
    let inherited = match options.renew_volumes {
        true => BTreeMap::new(),
        false => anonymous_volumes(session, &old.id).await?,
    };
    let wanted = wanted(project, name, old.number, &inherited)?;
    stop_quietly(session, &old.id, options.timeout).await?;
    let aside = format!("{}_{old_name}", &old.id[..old.id.len().min(12)]);
    rename(session, &old.id, &aside).await?;
    if let Err(error) = make(session, &wanted).await {
        // Best effort: the failure above is what the user must read.
        let _ = rename(session, &old.id, old_name).await;
        if old.is_running {
            let query = Query::new(&["containers", &old.id, "start"]);
            let _ = session.client.post(&query, Payload::Empty).await;
        }
        return Err(error);
    }
    let query = Query::new(&["containers", &old.id]).with("force", "1");
    session.client.delete(&query).await?;
    report.step("Container", &wanted.name, "Recreated");
    Ok(())
}

async fn rename(session: &Session, id: &str, name: &str) -> Result<(), CliError> {
    let query = Query::new(&["containers", id, "rename"]).with("name", name);
    session.client.post(&query, Payload::Empty).await.map(drop)
}

/// Mount point → name of the volumes that nobody named.
async fn anonymous_volumes(
    session: &Session,
    id: &str,
) -> Result<BTreeMap<String, String>, CliError> {
    let inspected = session
        .client
        .get(&Query::new(&["containers", id, "json"]))
        .await?;
    let is_anonymous =
        |name: &str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(inspected["Mounts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|mount| mount["Type"] == "volume")
        .filter_map(|mount| {
            let name = mount["Name"].as_str().filter(|name| is_anonymous(name))?;
            Some((mount["Destination"].as_str()?.to_owned(), name.to_owned()))
        })
        .collect())
}

async fn orphans(
    session: &Session,
    project: &Project,
    present: &[Container],
    options: &Options,
) -> Result<(), CliError> {
    let orphans: Vec<&Container> = present
        .iter()
        .filter(|container| !container.is_one_off)
        .filter(|container| {
            !project.services.contains_key(&container.service)
                && !project.disabled.contains_key(&container.service)
        })
        .collect();
    if orphans.is_empty() {
        return Ok(());
    }
    if !options.remove_orphans {
        let names: Vec<&str> = orphans
            .iter()
            .map(|container| container.name.as_str())
            .collect();
        crate::cli::output::complain(&format!(
            "WARN: Found orphan containers ([{}]) for this project. If you removed or renamed this service in \
             your compose file, you can run this command with the --remove-orphans flag to clean it up.",
            names.join(" ")
        ));
        return Ok(());
    }
    for container in orphans {
        stop(
            session,
            &container.id,
            &container.name,
            options.timeout,
            options.report,
        )
        .await?;
        remove(session, &container.id, &container.name, options.report).await?;
    }
    Ok(())
}

/// Stops a container and tells it.
pub(super) async fn stop(
    session: &Session,
    id: &str,
    name: &str,
    timeout: Option<i64>,
    report: Report,
) -> Result<(), CliError> {
    report.step("Container", name, "Stopping");
    stop_quietly(session, id, timeout).await?;
    report.step("Container", name, "Stopped");
    Ok(())
}

async fn stop_quietly(session: &Session, id: &str, timeout: Option<i64>) -> Result<(), CliError> {
    let timeout = timeout.map(|seconds| seconds.to_string());
    let query = Query::new(&["containers", id, "stop"]).with_some("t", timeout.as_deref());
    match session.client.post(&query, Payload::Empty).await {
        Err(error) if error.is_not_found() => Ok(()),
        stopped => stopped.map(drop),
    }
}

/// Removes a container and tells it.
pub(super) async fn remove(
    session: &Session,
    id: &str,
    name: &str,
    report: Report,
) -> Result<(), CliError> {
    report.step("Container", name, "Removing");
    delete(session, id, Volumes::Keep).await?;
    report.step("Container", name, "Removed");
    Ok(())
}

/// What becomes of a container's anonymous volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Volumes {
    /// They stay.
    Keep,
    /// They go with it.
    Remove,
}

/// Removes a container.
pub(super) async fn delete(session: &Session, id: &str, volumes: Volumes) -> Result<(), CliError> {
    let query = Query::new(&["containers", id])
        .with("force", "1")
        .with_switch("v", volumes == Volumes::Remove);
    match session.client.delete(&query).await {
        Err(error) if error.is_not_found() => Ok(()),
        deleted => deleted.map(|_: Value| ()),
    }
}

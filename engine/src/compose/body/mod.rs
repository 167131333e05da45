//! A service → the body of `POST /containers/create`, with the labels by which a project is found again.
//!
//! The labels are those of docker compose, so that both see the same projects.

mod devices;
mod host;
mod process;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::error::ComposeError;
use super::project::Project;
use super::service::{Attachment, Service};

/// Label: the project's name.
pub const PROJECT: &str = "com.docker.compose.project";
/// Label: the service's name.
pub const SERVICE: &str = "com.docker.compose.service";
/// Label: which of the service's containers, from 1.
pub const NUMBER: &str = "com.docker.compose.container-number";
/// Label: `True` for a container of `run`.
pub const ONE_OFF: &str = "com.docker.compose.oneoff";
/// Label: what the container was made from.
pub const HASH: &str = "com.docker.compose.config-hash";
/// Label: the files, separated by commas.
pub const FILES: &str = "com.docker.compose.project.config_files";
/// Label: where relative paths start.
pub const DIRECTORY: &str = "com.docker.compose.project.working_dir";
/// Label: the key of a network in the file.
pub const NETWORK: &str = "com.docker.compose.network";
/// Label: the key of a volume in the file.
pub const VOLUME: &str = "com.docker.compose.volume";
/// Label: who it waits for.
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// Option of an endpoint: the name of its interface.
const INTERFACE_NAME: &str = "com.docker.network.endpoint.ifname";
/// Label: the version of the labels.
pub const VERSION: &str = "com.docker.compose.version";

/// Why a container is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// One of the service's own, from 1.
    Replica(u32),
    /// For `run`, with the name it gets.
    OneOff(String),
}

/// A container to make, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// The body of `POST /containers/create`.
    pub body: Value,
    /// Networks to connect before the start, besides the one of the body: name → endpoint settings.
    pub networks: Vec<(String, Value)>,
    /// Files to put into it before the start.
    pub files: Vec<PlacedFile>,
}

/// A file whose content the caller has and the engine's host need not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedFile {
    /// Absolute path in the container.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// The image that a service's containers are made from.
pub fn image(project: &Project, name: &str, service: &Service) -> String {
    service
        .image
        .clone()
        .unwrap_or_else(|| format!("{}-{name}", project.name))
}

/// The name of a replica.
pub fn container_name(project: &Project, name: &str, service: &Service, number: u32) -> String {
    match &service.container_name {
        Some(chosen) => chosen.clone(),
        None => format!("{}-{name}-{number}", project.name),
    }
}

/// The variables a container of the service gets: its files, then its own.
pub fn environment(
    project: &Project,
    service: &Service,
) -> Result<BTreeMap<String, String>, ComposeError> {
    let mut found = BTreeMap::new();
    for file in &service.env_file {
        let path = PathBuf::from(&file.path);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let format = file.format.as_deref();
                let known = &project.environment;
                let lines = match format {
                    None => super::dotenv::parse(&path, &text, known)?,
                    Some("raw") => super::dotenv::raw(&path, &text, known)?,
                    Some(other) => {
                        return Err(ComposeError::invalid(
                            path.display().to_string(),
                            format!("unsupported env_file format \"{other}\": raw is"),
                        ));
                    }
                };
                for (name, value) in lines {
                    found.extend(value.map(|value| (name, value)));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !file.required => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ComposeError::NoEnvFile(path));
            }
            Err(source) => return Err(ComposeError::Read { path, source }),
        }
    }
    for (name, value) in &service.environment {
        match value.as_ref().or_else(|| project.environment.get(name)) {
            Some(value) => found.insert(name.clone(), value.clone()),
            None => found.remove(name),
        };
    }
    Ok(found)
}

/// What changes when the container must be made anew: all that it is made from, its variables resolved.
pub fn hash(project: &Project, service: &Service) -> Result<String, ComposeError> {
    let mut plain = service.clone();
    // These decide how many there are and how they come to be, not what they are.
    plain.build = None;
    plain.scale = None;
    plain.depends_on.clear();
    plain.profiles.clear();
    plain.pull_policy = None;
    plain.develop = None;
    plain.pull_refresh_after = None;
    plain.attach = None;
    if let Some(deploy) = &mut plain.deploy {
        deploy.replicas = None;
    }
    let document = json!({
        "service": plain,
        "environment": environment(project, service)?,
        "networks": service.networks.keys().map(|key| &project.networks[key]).collect::<Vec<_>>(),
        "labels": service
            .label_file
            .iter()
            .map(|file| super::dotenv::environment(&[file.into()], &Default::default()))
            .collect::<Result<Vec<_>, _>>()?,
        "files": process::material(project, service)?
            .iter()
            .map(|file| format!("{:x?}", Sha256::digest(&file.content)))
            .collect::<Vec<_>>(),
    });
    let digest = Sha256::digest(document.to_string());
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Everything about one container of the service `name`.
///
/// `inherited` are volumes of the container that it replaces: mount point → volume name.
pub fn container(
    project: &Project,
    name: &str,
    service: &Service,
    purpose: &Purpose,
    inherited: &BTreeMap<String, String>,
) -> Result<Wanted, ComposeError> {
    let mut body = process::config(project, name, service)?;
    let host = host::config(project, name, service, inherited)?;
    body.insert(
        "Labels".into(),
        json!(labels(project, name, service, purpose)?),
    );
    let mut host = host;
    let (mode, mut endpoints) = networks(project, name, service, purpose);
    host.insert("NetworkMode".into(), json!(mode));
    if !endpoints.is_empty() {
        let (first, settings) = endpoints.remove(0);
        body.insert(
            "NetworkingConfig".into(),
            json!({ "EndpointsConfig": { first: settings } }),
        );
    }
    body.insert("HostConfig".into(), host.into());
    let container_name = match purpose {
        Purpose::Replica(number) => container_name(project, name, service, *number),
        Purpose::OneOff(chosen) => chosen.clone(),
    };
    Ok(Wanted {
        name: container_name,
        body: body.into(),
        networks: endpoints,
        files: process::material(project, service)?,
    })
}

fn labels(
    project: &Project,
    name: &str,
    service: &Service,
    purpose: &Purpose,
) -> Result<BTreeMap<String, String>, ComposeError> {
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for file in &service.label_file {
        let known = Default::default();
        labels.extend(super::dotenv::environment(&[file.into()], &known)?);
    }
    let own = service.labels.iter();
    labels.extend(own.map(|(key, value)| (key.clone(), value.clone().unwrap_or_default())));
    let files: Vec<String> = project
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let waits: Vec<String> = service
        .depends_on
        .iter()
        .map(|(name, terms)| {
            let condition = json!(terms.condition);
            format!(
                "{name}:{}:{}",
                condition.as_str().unwrap_or_default(),
                terms.restart
            )
        })
        .collect();
    let (number, one_off) = match purpose {
        Purpose::Replica(number) => (*number, "False"),
        Purpose::OneOff(_) => (1, "True"),
    };
    for (key, value) in [
        (PROJECT, project.name.clone()),
        (SERVICE, name.to_owned()),
        (NUMBER, number.to_string()),
        (ONE_OFF, one_off.to_owned()),
        (HASH, hash(project, service)?),
        (DIRECTORY, project.directory.display().to_string()),
        (FILES, files.join(",")),
        (DEPENDS_ON, waits.join(",")),
        (VERSION, "2.32.4".to_owned()),
    ] {
        labels.insert(key.to_owned(), value);
    }
    Ok(labels)
}

/// The network mode, and every network with the container's place in it, the first one first.
fn networks(
    project: &Project,
    name: &str,
    service: &Service,
    purpose: &Purpose,
) -> (String, Vec<(String, Value)>) {
    if let Some(mode) = &service.network_mode {
        return (mode.clone(), Vec::new());
    }
    let mut order: Vec<(&String, &Attachment)> = service.networks.iter().collect();
    order.sort_by_key(|(_, place)| -place.priority.unwrap_or(0));
    let endpoints: Vec<(String, Value)> = order
        .into_iter()
        .map(|(key, place)| {
            let mut settings = Map::new();
            let mut aliases = place.aliases.clone();
            // A container of `run` must not answer for the service.
            if let Purpose::Replica(_) = purpose {
                aliases.insert(0, name.to_owned());
            }
            settings.insert("Aliases".into(), json!(aliases));
            let links: Vec<String> = service
                .links
                .iter()
                .map(|link| {
                    let (target, alias) = link.split_once(':').unwrap_or((link, link));
                    let target = match project.services.get(target) {
                        Some(other) => container_name(project, target, other, 1),
                        None => target.to_owned(),
                    };
                    format!("{target}:{alias}")
                })
                .chain(service.external_links.iter().cloned())
                .collect();
            if !links.is_empty() {
                settings.insert("Links".into(), json!(links));
            }
            let mut ipam = Map::new();
            for (key, address) in [
                ("IPv4Address", &place.ipv4_address),
                ("IPv6Address", &place.ipv6_address),
            ] {
                if let Some(address) = address {
                    ipam.insert(key.into(), json!(address));
                }
            }
            if !place.link_local_ips.is_empty() {
                ipam.insert("LinkLocalIPs".into(), json!(place.link_local_ips));
            }
            if !ipam.is_empty() {
                settings.insert("IPAMConfig".into(), ipam.into());
            }
            if let Some(address) = place.mac_address.as_ref().or(service.mac_address.as_ref()) {
                settings.insert("MacAddress".into(), json!(address));
            }
            let mut options = place.driver_opts.clone();
            if let Some(name) = &place.interface_name {
                options.insert(INTERFACE_NAME.into(), Some(name.clone()));
            }
            if !options.is_empty() {
                settings.insert("DriverOpts".into(), json!(options));
            }
            if let Some(priority) = place.gw_priority {
                settings.insert("GwPriority".into(), json!(priority));
            }
            (project.networks[key].name.clone(), settings.into())
        })
        .collect();
    let mode = endpoints
        .first()
        .map_or_else(|| "none".to_owned(), |(name, _)| name.clone());
    (mode, endpoints)
}

/// Values that are missing are empty.
fn flat(map: &BTreeMap<String, Option<String>>) -> BTreeMap<&String, &str> {
    map.iter()
        .map(|(key, value)| (key, value.as_deref().unwrap_or("")))
        .collect()
}

//! A project: what all its files say together, checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dotenv;
use super::error::ComposeError;
use super::interpolate::Environment;
use super::load;
use super::order;
use super::service::Service;

/// What a project is loaded from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Files named by the caller, in order; the usual ones when there is none.
    pub files: Vec<PathBuf>,
    /// Where relative paths start; the folder of the first file when not given.
    pub directory: Option<PathBuf>,
    /// The project's name, when the caller chooses it.
    pub name: Option<String>,
    /// Environment files; `.env` of the folder when there is none.
    pub env_files: Vec<PathBuf>,
    /// The caller's variables.
    pub environment: BTreeMap<String, String>,
    /// Profiles that are on; `*` is all of them.
    pub profiles: Vec<String>,
    /// Services that are on whatever their profiles say.
    pub wanted: Vec<String>,
}

/// What a set of Compose files describes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Its name, part of the name of all it has.
    pub name: String,
    /// Services that are on.
    pub services: BTreeMap<String, Service>,
    /// Networks.
    pub networks: BTreeMap<String, Network>,
    /// Volumes.
    pub volumes: BTreeMap<String, Volume>,
    /// Secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub secrets: BTreeMap<String, Material>,
    /// Configs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub configs: BTreeMap<String, Material>,
    /// Services whose profiles are off.
    #[serde(skip, default)]
    pub disabled: BTreeMap<String, Service>,
    /// Where relative paths start.
    #[serde(skip, default)]
    pub directory: PathBuf,
    /// The files it was read from.
    #[serde(skip, default)]
    pub files: Vec<PathBuf>,
    /// The variables it was read with.
    #[serde(skip, default)]
    pub environment: BTreeMap<String, String>,
    /// What the reader should be told.
    #[serde(skip, default)]
    pub warnings: Vec<String>,
}

/// A network of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Network {
    pub name: String,
    pub driver: Option<String>,
    pub driver_opts: BTreeMap<String, Option<String>>,
    pub attachable: bool,
    pub enable_ipv4: Option<bool>,
    pub enable_ipv6: Option<bool>,
    pub external: Value,
    pub internal: bool,
    pub ipam: Option<Ipam>,
    pub labels: BTreeMap<String, Option<String>>,
}

/// Addresses of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Ipam {
    pub driver: Option<String>,
    pub config: Vec<Pool>,
    pub options: BTreeMap<String, String>,
}

/// One subnet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Pool {
    pub subnet: Option<String>,
    pub gateway: Option<String>,
    pub ip_range: Option<String>,
    pub aux_addresses: BTreeMap<String, String>,
}

/// A volume of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Volume {
    pub name: String,
    pub driver: Option<String>,
    pub driver_opts: BTreeMap<String, Option<String>>,
    pub external: Value,
    pub labels: BTreeMap<String, Option<String>>,
}

/// A config or a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is the key of the same name in the specification"
)]
pub struct Material {
    pub name: String,
    pub file: Option<String>,
    pub environment: Option<String>,
    pub content: Option<String>,
    pub external: Value,
    pub labels: BTreeMap<String, Option<String>>,
}

impl Network {
    /// Made by somebody else.
    pub fn is_external(&self) -> bool {
        is_external(&self.external)
    }
}

impl Volume {
    /// Made by somebody else.
    pub fn is_external(&self) -> bool {
        is_external(&self.external)
    }
}

/// `external: true`, or the old `external: {name: …}`.
fn is_external(value: &Value) -> bool {
    matches!(value, Value::Bool(true) | Value::Object(_))
}

impl Project {
    /// Reads, merges and checks.
    pub fn load(source: &Source) -> Result<Self, ComposeError> {
        let here = std::env::current_dir().map_err(|source| ComposeError::Read {
            path: ".".into(),
            source,
        })?;
        let (files, found_in) = match source.files.as_slice() {
            [] => find(source.directory.as_deref().unwrap_or(&here))?,
            files => {
                let files: Vec<PathBuf> = files.iter().map(|file| joined(&here, file)).collect();
                let parent = files[0].parent().unwrap_or(&here).to_owned();
                (files, parent)
            }
        };
        let directory = match &source.directory {
            Some(directory) => here.join(directory),
            None if files[0] == Path::new("-") => here.clone(),
            None => found_in,
        };
        let environment = environment(source, &directory)?;
        let document = load::files(&files, &directory, &environment)?;
        let name = name(source, &document.value, &environment, &directory)?;
        let mut project = Self {
            name,
            directory,
            files,
            environment,
            warnings: document.warnings,
            ..Self::default()
        };
        project.fill(&document.value)?;
        project.name_things();
        project.choose(source)?;
        project.check()?;
        Ok(project)
    }

    fn fill(&mut self, document: &Value) -> Result<(), ComposeError> {
        self.services = section(document, "services")?;
        self.networks = section(document, "networks")?;
        self.volumes = section(document, "volumes")?;
        self.secrets = section(document, "secrets")?;
        self.configs = section(document, "configs")?;
        Ok(())
    }

    /// Gives services the network they do not name, and things the name they have outside.
    fn name_things(&mut self) {
        for service in self.services.values_mut() {
            if service.networks.is_empty() && service.network_mode.is_none() {
                service
                    .networks
                    .insert("default".into(), Default::default());
            }
        }
        let uses_default = |service: &Service| service.networks.contains_key("default");
        if self.services.values().any(uses_default) {
            self.networks.entry("default".into()).or_default();
        }
        for (key, network) in &mut self.networks {
            network.name = outer_name(&self.name, key, &network.name, &network.external);
        }
        for (key, volume) in &mut self.volumes {
            volume.name = outer_name(&self.name, key, &volume.name, &volume.external);
        }
        for (key, material) in self.secrets.iter_mut().chain(&mut self.configs) {
            material.name = outer_name(&self.name, key, &material.name, &material.external);
        }
    }

    /// Puts aside the services whose profiles are off.
    fn choose(&mut self, source: &Source) -> Result<(), ComposeError> {
        for name in &source.wanted {
            if !self.services.contains_key(name) {
                return Err(ComposeError::NoService(name.clone()));
            }
        }
        let is_on = |profiles: &[String]| {
            profiles.is_empty()
                || source.profiles.iter().any(|on| on == "*")
                || profiles
                    .iter()
                    .any(|profile| source.profiles.contains(profile))
        };
        let (on, off): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.services)
            .into_iter()
            .partition(|(name, service)| is_on(&service.profiles) || source.wanted.contains(name));
        self.services = on;
        self.disabled = off;
        Ok(())
    }

    /// Every name that is used exists, and nobody waits for himself.
    fn check(&self) -> Result<(), ComposeError> {
        if self.services.is_empty() && self.disabled.is_empty() {
            return Err(ComposeError::invalid(
                "services",
                "empty compose file: a project has at least one service",
            ));
        }
        for (name, service) in &self.services {
            let at = format!("service \"{name}\"");
            let undefined = |kind: &str, what: &str| {
                ComposeError::invalid(&at, format!("refers to undefined {kind} {what}"))
            };
            if service.image.is_none() && service.build.is_none() {
                return Err(ComposeError::invalid(
                    at,
                    "has neither an image nor a build context specified",
                ));
            }
            if service.network_mode.is_some() && !service.networks.is_empty() {
                return Err(ComposeError::invalid(
                    at,
                    "declares mutually exclusive `network_mode` and `networks`",
                ));
            }
            for network in service.networks.keys() {
                if !self.networks.contains_key(network) {
                    return Err(undefined("network", network));
                }
            }
            for mount in service
                .volumes
                .iter()
                .filter(|mount| mount.kind == "volume")
            {
                if let Some(volume) = &mount.source
                    && !self.volumes.contains_key(volume)
                {
                    return Err(undefined("volume", volume));
                }
            }
            for secret in &service.secrets {
                if !self.secrets.contains_key(&secret.source) {
                    return Err(undefined("secret", &secret.source));
                }
            }
            for config in &service.configs {
                if !self.configs.contains_key(&config.source) {
                    return Err(undefined("config", &config.source));
                }
            }
            for (dependency, terms) in &service.depends_on {
                if terms.required && !self.services.contains_key(dependency) {
                    return Err(ComposeError::invalid(
                        at,
                        match self.disabled.contains_key(dependency) {
                            true => {
                                format!("depends on {dependency}, whose profile is not enabled")
                            }
                            false => format!("depends on undefined service \"{dependency}\""),
                        },
                    ));
                }
            }
            if service.container_name.is_some() && service.replicas() > 1 {
                return Err(ComposeError::invalid(
                    at,
                    "has a `container_name` and more than one replica: names are unique",
                ));
            }
        }
        order::levels(&self.services).map(drop)
    }
}

/// One section, each entry in its type.
fn section<T: for<'de> Deserialize<'de>>(
    document: &Value,
    section: &str,
) -> Result<BTreeMap<String, T>, ComposeError> {
    let mut found = BTreeMap::new();
    for (name, value) in document[section].as_object().into_iter().flatten() {
        let entry = T::deserialize(value).map_err(|error| {
            ComposeError::invalid(format!("{section}.{name}"), error.to_string())
        })?;
        found.insert(name.clone(), entry);
    }
    Ok(found)
}

/// The name a thing has outside the project.
fn outer_name(project: &str, key: &str, given: &str, external: &Value) -> String {
    match external {
        Value::Object(old) => old["name"].as_str().unwrap_or(key).to_owned(),
        _ if !given.is_empty() => given.to_owned(),
        Value::Bool(true) => key.to_owned(),
        _ => format!("{project}_{key}"),
    }
}

/// The usual file in `directory` or above it, with its override.
fn find(directory: &Path) -> Result<(Vec<PathBuf>, PathBuf), ComposeError> {
    for folder in directory.ancestors() {
        for name in load::USUAL {
            let file = folder.join(name);
            if !file.is_file() {
                continue;
            }
            let mut files = vec![file];
            let (stem, _) = name
                .rsplit_once('.')
                .expect("every usual name has an ending");
            let overrides =
                ["yml", "yaml"].map(|end| folder.join(format!("{stem}.override.{end}")));
            files.extend(overrides.into_iter().find(|file| file.is_file()));
            return Ok((files, folder.to_owned()));
        }
    }
    Err(ComposeError::NoFile)
}

fn joined(here: &Path, file: &Path) -> PathBuf {
    match file == Path::new("-") {
        true => file.to_owned(),
        false => PathBuf::from(super::normal::absolute(&file.to_string_lossy(), here)),
    }
}

/// The caller's variables over those of the environment files.
fn environment(source: &Source, directory: &Path) -> Result<Environment, ComposeError> {
    let usual = directory.join(".env");
    let files = match source.env_files.as_slice() {
        [] if usual.is_file() => vec![usual],
        files => files.to_vec(),
    };
    let mut environment = Environment::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|source| ComposeError::Read {
            path: file.clone(),
            source,
        })?;
        for (name, value) in dotenv::parse(&file, &text, &source.environment)? {
            environment.extend(value.map(|value| (name, value)));
        }
    }
    environment.extend(source.environment.clone());
    Ok(environment)
}

/// `-p`, then `COMPOSE_PROJECT_NAME`, then `name:`, then the folder.
fn name(
    source: &Source,
    document: &Value,
    environment: &Environment,
    directory: &Path,
) -> Result<String, ComposeError> {
    let given = source
        .name
        .clone()
        .or_else(|| environment.get("COMPOSE_PROJECT_NAME").cloned())
        .filter(|name| !name.is_empty())
        .or_else(|| document["name"].as_str().map(str::to_owned));
    let normal = |text: &str| -> String {
        text.to_lowercase()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .collect::<String>()
            .trim_start_matches(['-', '_'])
            .to_owned()
    };
    match given {
        Some(name) if normal(&name) == name => Ok(name),
        Some(name) => Err(ComposeError::invalid(
            format!("invalid project name \"{name}\""),
            "must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number",
        )),
        None => {
            let folder = directory.file_name().unwrap_or_default().to_string_lossy();
            match normal(&folder) {
                name if name.is_empty() => Err(ComposeError::invalid(
                    "project name",
                    "must not be empty: give one with -p",
                )),
                name => Ok(name),
            }
        }
    }
}

//! A project: what all its files say together, checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::consistency;
use super::error::ComposeError;
use super::find::Found;
use super::interpolate::Environment;
use super::load::{self, Variables};
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
    /// Whether it is checked that all parts fit together.
    pub consistency: Consistency,
}

/// Whether it is checked that all parts of a project fit together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// It is.
    #[default]
    Checked,
    /// It is taken as it stands (`config --no-consistency`).
    Taken,
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

impl Material {
    /// Made by somebody else.
    pub fn is_external(&self) -> bool {
        is_external(&self.external)
    }
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
        let found = Found::of(source)?;
        let document = load::files(
            &found.files,
            &found.directory,
            &found.environment,
            Variables::Replaced,
        )?;
        let name = name(
            source,
            &document.value,
            &found.environment,
            &found.directory,
        )?;
        let mut project = Self {
            name,
            directory: found.directory,
            files: found.files,
            environment: found.environment,
            warnings: document.warnings,
            ..Self::default()
        };
        project.fill(&document.value)?;
        project.name_things();
        project.choose(source)?;
        match source.consistency {
            Consistency::Checked => consistency::check(&project)?,
            Consistency::Taken => {}
        }
        Ok(project)
    }

    /// The merged document with its references as they are written, and the project's name.
    pub fn unresolved(source: &Source) -> Result<(String, Value), ComposeError> {
        let found = Found::of(source)?;
        let document = load::files(
            &found.files,
            &found.directory,
            &found.environment,
            Variables::Kept,
        )?;
        let name = name(
            source,
            &document.value,
            &found.environment,
            &found.directory,
        )?;
        Ok((name, document.value))
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
        let mut enabled = source.profiles.clone();
        if let Some(list) = self.environment.get("COMPOSE_PROFILES") {
            enabled.extend(list.split(',').map(|name| name.trim().to_owned()));
        }
        let is_on = |profiles: &[String]| {
            profiles.is_empty()
                || enabled.iter().any(|on| on == "*")
                || profiles.iter().any(|profile| enabled.contains(profile))
        };
        let (on, off): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.services)
            .into_iter()
            .partition(|(name, service)| is_on(&service.profiles) || source.wanted.contains(name));
        self.services = on;
        self.disabled = off;
        Ok(())
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

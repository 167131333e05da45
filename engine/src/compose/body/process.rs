//! What runs in the container: the body's own members, and the configs and secrets it finds as files.

use serde_json::{Map, Value, json};

use super::{PlacedFile, environment, image};
use crate::compose::error::ComposeError;
use crate::compose::project::{Material, Project};
use crate::compose::service::{Grant, HealthCheck, Service};
use crate::compose::units;

/// The body without host configuration, labels and networks.
pub(super) fn config(
    project: &Project,
    name: &str,
    service: &Service,
) -> Result<Map<String, Value>, ComposeError> {
    let at = |key: &str| format!("services.{name}.{key}");
    let mut body = Map::new();
    body.insert("Image".into(), json!(image(project, name, service)));
    let variables: Vec<String> = environment(project, service)?
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    body.insert("Env".into(), json!(variables));
    for (key, value) in [
        ("Cmd", &service.command),
        ("Entrypoint", &service.entrypoint),
    ] {
        if let Some(words) = value {
            body.insert(key.into(), json!(words));
        }
    }
    for (key, value) in [
        ("Hostname", &service.hostname),
        ("Domainname", &service.domainname),
        ("User", &service.user),
        ("WorkingDir", &service.working_dir),
        ("StopSignal", &service.stop_signal),
    ] {
        if let Some(text) = value {
            body.insert(key.into(), json!(text));
        }
    }
    body.insert("Tty".into(), json!(service.tty.unwrap_or(false)));
    body.insert(
        "OpenStdin".into(),
        json!(service.stdin_open.unwrap_or(false)),
    );
    if let Some(period) = &service.stop_grace_period {
        let nanos = units::nanoseconds(period).ok_or_else(|| {
            ComposeError::invalid(
                at("stop_grace_period"),
                format!("\"{period}\" is no duration"),
            )
        })?;
        // The API counts whole seconds.
        body.insert(
            "StopTimeout".into(),
            json!((nanos + 999_999_999) / 1_000_000_000),
        );
    }
    if let Some(health) = &service.healthcheck {
        body.insert(
            "Healthcheck".into(),
            self::health(health, &at("healthcheck"))?,
        );
    }
    let mut exposed = Map::new();
    for port in &service.ports {
        exposed.insert(format!("{}/{}", port.target, port.protocol), json!({}));
    }
    for port in &service.expose {
        let port = match port.contains('/') {
            true => port.clone(),
            false => format!("{port}/tcp"),
        };
        exposed.insert(port, json!({}));
    }
    if !exposed.is_empty() {
        body.insert("ExposedPorts".into(), exposed.into());
    }
    Ok(body)
}

fn health(health: &HealthCheck, at: &str) -> Result<Value, ComposeError> {
    if health.disable {
        return Ok(json!({ "Test": ["NONE"] }));
    }
    let mut body = Map::new();
    if !health.test.is_empty() {
        body.insert("Test".into(), json!(health.test));
    }
    for (key, text) in [
        ("Interval", &health.interval),
        ("Timeout", &health.timeout),
        ("StartPeriod", &health.start_period),
        ("StartInterval", &health.start_interval),
    ] {
        if let Some(text) = text {
            let nanos = units::nanoseconds(text)
                .ok_or_else(|| ComposeError::invalid(at, format!("\"{text}\" is no duration")))?;
            body.insert(key.into(), json!(nanos));
        }
    }
    if let Some(retries) = health.retries {
        body.insert("Retries".into(), json!(retries));
    }
    Ok(body.into())
}

/// Configs and secrets whose content is not a file that can be bound.
pub(super) fn material(
    project: &Project,
    service: &Service,
) -> Result<Vec<PlacedFile>, ComposeError> {
    let mut files = Vec::new();
    let secrets = service
        .secrets
        .iter()
        .map(|grant| (grant, &project.secrets, "/run/secrets/"));
    let configs = service
        .configs
        .iter()
        .map(|grant| (grant, &project.configs, "/"));
    for (grant, section, folder) in secrets.chain(configs) {
        let material = &section[&grant.source];
        let Some(content) = content(project, material)? else {
            continue;
        };
        files.push(PlacedFile {
            path: target(grant, folder),
            content,
            uid: number(grant.uid.as_deref(), "uid")?,
            gid: number(grant.gid.as_deref(), "gid")?,
            mode: mode(grant)?,
        });
    }
    Ok(files)
}

/// Where a config or secret is found in the container.
pub(super) fn target(grant: &Grant, folder: &str) -> String {
    match &grant.target {
        Some(path) if path.starts_with('/') => path.clone(),
        Some(name) => format!("{folder}{name}"),
        None => format!("{folder}{}", grant.source),
    }
}

/// The content that the caller brings; `None` for a file of the host.
fn content(project: &Project, material: &Material) -> Result<Option<Vec<u8>>, ComposeError> {
    if matches!(material.external, Value::Bool(true) | Value::Object(_)) {
        return Err(ComposeError::invalid(
            &material.name,
            "external configs and secrets need a swarm, which this engine is not",
        ));
    }
    match (&material.file, &material.content, &material.environment) {
        (Some(_), None, None) => Ok(None),
        (None, Some(content), None) => Ok(Some(content.clone().into_bytes())),
        (None, None, Some(variable)) => match project.environment.get(variable) {
            Some(value) => Ok(Some(value.clone().into_bytes())),
            None => Err(ComposeError::invalid(
                &material.name,
                format!("environment variable \"{variable}\" required by it is not set"),
            )),
        },
        _ => Err(ComposeError::invalid(
            &material.name,
            "needs exactly one of `file`, `content` and `environment`",
        )),
    }
}

fn number(text: Option<&str>, what: &str) -> Result<u32, ComposeError> {
    text.map_or(Ok(0), |text| {
        text.parse()
            .map_err(|_| ComposeError::invalid(what, format!("\"{text}\" is no number")))
    })
}

/// Who may read it; everybody, when nothing is said.
fn mode(grant: &Grant) -> Result<u32, ComposeError> {
    match &grant.mode {
        None => Ok(0o444),
        Some(mode) => units::octal(mode)
            .ok_or_else(|| ComposeError::invalid(&grant.source, "`mode` is no octal number")),
    }
}

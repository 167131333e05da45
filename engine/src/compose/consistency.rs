//! Whether the parts of a project fit together: every name that is used exists, nothing is said twice differently.

use serde_json::Value;

use super::error::ComposeError;
use super::order;
use super::project::{Material, Project};
use super::pull_policy::PullPolicy;
use super::service::Service;
use super::units;

/// The first thing that does not fit.
pub(super) fn check(project: &Project) -> Result<(), ComposeError> {
    if project.services.is_empty() && project.disabled.is_empty() {
        return Err(ComposeError::invalid(
            "services",
            "empty compose file: a project has at least one service",
        ));
    }
    outside(project)?;
    for (name, service) in &project.services {
        image(project, name, service)?;
        references(project, name, service)?;
        files(service)?;
        dependencies(project, name, service)?;
        amounts(name, service)?;
        policies(name, service)?;
    }
    order::levels(&project.services)?;
    super::order::builds(&project.services).map(drop)
}

/// What stands beside the services.
fn outside(project: &Project) -> Result<(), ComposeError> {
    let conflict = |at: String, key: &str| {
        Err(ComposeError::invalid(
            at,
            format!("conflicting parameters \"external\" and \"{key}\" specified"),
        ))
    };
    for (key, network) in &project.networks {
        let is_driven = network.driver.is_some() || !network.driver_opts.is_empty();
        if network.is_external() && is_driven {
            return conflict(format!("networks.{key}"), "driver");
        }
    }
    for (key, volume) in &project.volumes {
        let is_driven = volume.driver.is_some() || !volume.driver_opts.is_empty();
        if volume.is_external() && is_driven {
            return conflict(format!("volumes.{key}"), "driver");
        }
    }
    for (key, secret) in &project.secrets {
        material(&format!("secrets.{key}"), secret, "file|environment")?;
    }
    for (key, config) in &project.configs {
        material(
            &format!("configs.{key}"),
            config,
            "file|environment|content",
        )?;
    }
    Ok(())
}

fn material(at: &str, material: &Material, kinds: &str) -> Result<(), ComposeError> {
    let sources = [&material.file, &material.environment, &material.content];
    match (
        sources.iter().filter(|source| source.is_some()).count(),
        material.is_external(),
    ) {
        (1, false) | (0, true) => Ok(()),
        (0, false) => Err(ComposeError::invalid(
            at,
            format!("one of {kinds} must be set"),
        )),
        (_, false) => Err(ComposeError::invalid(
            at,
            format!("{kinds} attributes are mutually exclusive"),
        )),
        (_, true) => Err(ComposeError::invalid(
            at,
            "conflicting parameters \"external\" and another source specified",
        )),
    }
}

fn image(project: &Project, name: &str, service: &Service) -> Result<(), ComposeError> {
    if service.image.is_none() && service.build.is_none() {
        return Err(ComposeError::of_service(
            name,
            "has neither an image nor a build context specified",
        ));
    }
    let Some(build) = &service.build else {
        return Ok(());
    };
    if build.dockerfile.is_some() && build.dockerfile_inline.is_some() {
        return Err(ComposeError::of_service(
            name,
            "declares mutualy exclusive dockerfile and dockerfile_inline",
        ));
    }
    for (context, place) in &build.additional_contexts {
        let Some(other) = place.as_deref().and_then(|at| at.strip_prefix("service:")) else {
            continue;
        };
        let found = project
            .services
            .get(other)
            .or_else(|| project.disabled.get(other));
        let what = match found {
            None => "unknown",
            Some(service) if service.build.is_none() => "non-buildable",
            Some(_) => continue,
        };
        return Err(ComposeError::of_service(
            name,
            format!("declares {what} service \"{other}\" as additional contexts {context}"),
        ));
    }
    for secret in &build.secrets {
        if !project.secrets.contains_key(&secret.source) {
            return Err(ComposeError::of_service(
                name,
                format!("refers to undefined build secret {}", secret.source),
            ));
        }
    }
    Ok(())
}

fn references(project: &Project, name: &str, service: &Service) -> Result<(), ComposeError> {
    if service.network_mode.is_some() && !service.networks.is_empty() {
        return Err(ComposeError::of_service(
            name,
            "declares mutually exclusive `network_mode` and `networks`",
        ));
    }
    let undefined = |kind: &str, what: &str| {
        Err(ComposeError::of_service(
            name,
            format!("refers to undefined {kind} {what}"),
        ))
    };
    for network in service.networks.keys() {
        if !project.networks.contains_key(network) {
            return undefined("network", network);
        }
    }
    for mount in &service.volumes {
        match (mount.kind.as_str(), &mount.source) {
            ("volume", Some(volume)) if !project.volumes.contains_key(volume) => {
                return undefined("volume", volume);
            }
            ("bind" | "image", None) => {
                return Err(ComposeError::of_service(
                    name,
                    format!(
                        "has an invalid mount config for type \"{}\": field Source must not be empty",
                        mount.kind
                    ),
                ));
            }
            ("npipe" | "cluster", _) => {
                return Err(ComposeError::of_service(
                    name,
                    format!(
                        "has a mount of type \"{}\", which this engine does not have",
                        mount.kind
                    ),
                ));
            }
            _ => {}
        }
    }
    for secret in &service.secrets {
        if !project.secrets.contains_key(&secret.source) {
            return undefined("secret", &secret.source);
        }
    }
    for config in &service.configs {
        if !project.configs.contains_key(&config.source) {
            return undefined("config", &config.source);
        }
    }
    Ok(())
}

/// Files that must be there before anything is made.
fn files(service: &Service) -> Result<(), ComposeError> {
    let variables = service.env_file.iter().filter(|file| file.required);
    let labels = service.label_file.iter().map(String::as_str);
    for path in variables.map(|file| file.path.as_str()).chain(labels) {
        if !std::path::Path::new(path).exists() {
            return Err(ComposeError::NoEnvFile(path.into()));
        }
    }
    Ok(())
}

fn dependencies(project: &Project, name: &str, service: &Service) -> Result<(), ComposeError> {
    for need in order::needs(service) {
        let is_required = service
            .depends_on
            .get(&need)
            .is_none_or(|terms| terms.required);
        if !is_required || project.services.contains_key(&need) {
            continue;
        }
        return Err(ComposeError::of_service(
            name,
            match project.disabled.contains_key(&need) {
                true => format!("depends on \"{need}\", whose profile is not enabled"),
                false => format!("depends on undefined service \"{need}\""),
            },
        ));
    }
    Ok(())
}

/// The same amount may be said in two places, but not differently.
fn amounts(name: &str, service: &Service) -> Result<(), ComposeError> {
    let distinct = |one: &str, other: &str| {
        Err(ComposeError::Inconsistent {
            at: format!("services.{name}:"),
            why: format!("can't set distinct values on '{one}' and '{other}'"),
        })
    };
    if service.container_name.is_some() && service.replicas() > 1 {
        return Err(ComposeError::Inconsistent {
            at: format!("services.{name}:"),
            why: format!(
                "can't set container_name and {} replicas as container name must be unique",
                service.replicas()
            ),
        });
    }
    let Some(deploy) = &service.deploy else {
        return Ok(());
    };
    if let (Some(scale), Some(replicas)) = (service.scale, deploy.replicas)
        && scale != replicas
    {
        return distinct("scale", "deploy.replicas");
    }
    let (most, least) = (&deploy.resources.limits, &deploy.resources.reservations);
    for (one, here, other, there) in [
        (
            "mem_limit",
            &service.mem_limit,
            "limits.memory",
            &most.memory,
        ),
        (
            "mem_reservation",
            &service.mem_reservation,
            "reservations.memory",
            &least.memory,
        ),
    ] {
        if let (Some(here), Some(there)) = (here, there)
            && units::bytes(here) != units::bytes(there)
        {
            return distinct(one, &format!("deploy.resources.{other}"));
        }
    }
    if let (Some(here), Some(there)) = (&service.cpus, &most.cpus)
        && here.as_f64() != there.as_f64()
    {
        return distinct("cpus", "deploy.resources.limits.cpus");
    }
    if let (Some(here), Some(there)) = (service.pids_limit, most.pids)
        && here != there
    {
        return distinct("pids_limit", "deploy.resources.limits.pids");
    }
    Ok(())
}

/// Words that the daemon would refuse after half of the project was made.
fn policies(name: &str, service: &Service) -> Result<(), ComposeError> {
    let at = |key: &str| format!("services.{name}.{key}");
    if let Some(policy) = &service.pull_policy
        && PullPolicy::parse(policy).is_none()
    {
        return Err(ComposeError::invalid(
            at("pull_policy"),
            "must be one of always, never, build, if_not_present, missing, refresh, daily, weekly, every_<duration>",
        ));
    }
    if let Some(text) = &service.pull_refresh_after
        && units::nanoseconds(text).is_none()
    {
        return Err(ComposeError::invalid(
            at("pull_refresh_after"),
            format!("\"{text}\" is no duration"),
        ));
    }
    if let Some(restart) = &service.restart {
        let (policy, count) = restart.split_once(':').unwrap_or((restart, ""));
        let counts = count.is_empty() || policy == "on-failure" && count.parse::<u32>().is_ok();
        if !counts
            || !matches!(
                policy,
                "no" | "always" | "unless-stopped" | "on-failure" | ""
            )
        {
            return Err(ComposeError::invalid(
                at("restart"),
                format!("invalid restart policy: unknown policy '{restart}'"),
            ));
        }
    }
    let deploy = service.deploy.as_ref();
    if let Some(mode) = deploy.and_then(|deploy| deploy.mode.as_deref())
        && !matches!(mode, "replicated" | "global")
    {
        return Err(ComposeError::invalid(
            at("deploy.mode"),
            format!("\"{mode}\" is not supported: jobs need a swarm, which this engine is not"),
        ));
    }
    let devices = deploy.map(|deploy| &deploy.resources.reservations.generic_resources);
    if devices.is_some_and(|devices| !matches!(devices, Value::Null)) {
        return Err(ComposeError::invalid(
            at("deploy.resources.reservations.generic_resources"),
            "needs a swarm, which this engine is not",
        ));
    }
    Ok(())
}

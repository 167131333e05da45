//! `docker compose build`, and the builds that `up` needs: `docker build`, told what the service says.

use std::io::Write;

use super::{PROJECT, docker, images, scope};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, output};
use crate::compose::body;
use crate::compose::order;
use crate::compose::project::Project;
use crate::compose::service::{Build, Service};

/// `docker compose build`.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose build"],
    about: "Build or rebuild services",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, BUILDING],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(build_all(session, matches)),
};

const BUILDING: &[Flag] = &[
    Flag::list("build-arg", "Set build-time variables for services"),
    Flag::switch("no-cache", "Do not use cache when building the image"),
    Flag::switch(
        "pull",
        "Always attempt to pull a newer version of the image",
    ),
    Flag::switch("push", "Push service images"),
    Flag::switch("quiet", "Suppress the build output").short('q'),
    Flag::switch("with-dependencies", "Also build dependencies"),
];

async fn build_all(session: &Session, matches: &Matches) -> Result<u8, CliError> {
    let project = scope::project(matches, &matches.operands)?;
    let mut extra = Vec::new();
    for argument in matches.all("build-arg") {
        extra.push(format!("--build-arg={argument}"));
    }
    for flag in ["no-cache", "pull", "quiet"] {
        if matches.on(flag) {
            extra.push(format!("--{flag}"));
        }
    }
    let chosen = images::chosen(&project, matches, "with-dependencies")?;
    let chosen = order::with_bases(&project.services, &chosen);
    let levels = order::builds(&project.services).map_err(scope::said)?;
    let in_order = levels
        .iter()
        .flatten()
        .filter(|name| chosen.contains(*name));
    for name in in_order {
        let service = &project.services[name];
        build(session, &project, name, service, &extra).await?;
        if matches.on("push") && service.build.is_some() {
            docker(
                session,
                "image push",
                &[body::image(&project, name, service)],
            )
            .await?;
        }
    }
    Ok(0)
}

/// Builds the image of one service with `docker build`.
pub(super) async fn build(
    session: &Session,
    project: &Project,
    name: &str,
    service: &Service,
    extra: &[String],
) -> Result<(), CliError> {
    let Some(build) = &service.build else {
        return Ok(());
    };
    let inline = Inline::of(build)?;
    let mut words = words(project, name, service, build, inline.as_ref())?;
    words.extend_from_slice(extra);
    words.push("--".into());
    words.push(build.context.clone());
    match docker(session, "image build", &words).await? {
        0 => Ok(()),
        code => Err(CliError::Coded {
            message: format!("failed to build service {name}"),
            code,
        }),
    }
}

fn words(
    project: &Project,
    name: &str,
    service: &Service,
    build: &Build,
    inline: Option<&Inline>,
) -> Result<Vec<String>, CliError> {
    refuse(name, build)?;
    let mut words = vec!["--tag".to_owned(), body::image(project, name, service)];
    let mut put = |flag: &str, value: String| words.push(format!("--{flag}={value}"));
    for tag in &build.tags {
        put("tag", tag.clone());
    }
    match (inline, &build.dockerfile) {
        (Some(inline), _) => put("file", inline.path()),
        (None, Some(file)) => {
            let file = std::path::Path::new(&build.context).join(file);
            put("file", file.display().to_string());
        }
        (None, None) => {}
    }
    for (key, value) in &build.args {
        // A name alone takes the caller's value, as `--build-arg NAME` does.
        match value.as_ref().or_else(|| project.environment.get(key)) {
            Some(value) => put("build-arg", format!("{key}={value}")),
            None => continue,
        }
    }
    for (key, value) in &build.labels {
        put("label", format!("{key}={}", value.as_deref().unwrap_or("")));
    }
    put("label", format!("{}={}", body::PROJECT, project.name));
    put("label", format!("{}={name}", body::SERVICE));
    for (key, value) in &build.additional_contexts {
        let place = value.as_deref().unwrap_or("");
        let based = place.strip_prefix("service:").and_then(|other| {
            let service = project
                .services
                .get(other)
                .or_else(|| project.disabled.get(other));
            Some(body::image(project, other, service?))
        });
        // Its image was built before this one: see `order::builds`.
        put(
            "build-context",
            match based {
                Some(image) => format!("{key}=docker-image://{image}"),
                None => format!("{key}={place}"),
            },
        );
    }
    for secret in &build.secrets {
        let id = secret.target.as_deref().unwrap_or(&secret.source);
        let material = project.secrets.get(&secret.source).ok_or_else(|| {
            CliError::Said(format!(
                "service \"{name}\" refers to undefined build secret {}",
                secret.source
            ))
        })?;
        match (&material.file, &material.environment) {
            (Some(file), _) => put("secret", format!("id={id},src={file}")),
            (None, Some(variable)) => put("secret", format!("id={id},env={variable}")),
            (None, None) => {}
        }
    }
    for (flag, list) in [
        ("add-host", &build.extra_hosts),
        ("cache-from", &build.cache_from),
        ("cache-to", &build.cache_to),
        ("platform", &build.platforms),
    ] {
        for value in list {
            put(flag, value.clone());
        }
    }
    for (flag, text) in [("target", &build.target), ("network", &build.network)] {
        if let Some(text) = text {
            put(flag, text.clone());
        }
    }
    if let Some(size) = &build.shm_size {
        let text = size
            .as_str()
            .map_or_else(|| size.to_string(), str::to_owned);
        put("shm-size", text);
    }
    for (limit, value) in &build.ulimits {
        put("ulimit", format!("{limit}={}:{}", value.soft, value.hard));
    }
    for (flag, is) in [("no-cache", build.no_cache), ("pull", build.pull)] {
        if is == Some(true) {
            put(flag, "true".into());
        }
    }
    Ok(words)
}

/// What these builds do not have.
fn refuse(name: &str, build: &Build) -> Result<(), CliError> {
    let is_on = |value: &Option<serde_json::Value>| {
        !matches!(value, None | Some(serde_json::Value::Bool(false)))
            && *value != Some(serde_json::json!("false"))
    };
    let isolated = build.isolation.as_deref().unwrap_or("default");
    for (key, is_asked) in [
        ("privileged", build.privileged == Some(true)),
        ("entitlements", !build.entitlements.is_empty()),
        ("isolation", isolated != "default"),
        ("no_cache_filter", !build.no_cache_filter.is_empty()),
        ("provenance", is_on(&build.provenance)),
        ("sbom", is_on(&build.sbom)),
        ("ssh", !build.ssh.is_empty()),
    ] {
        if is_asked {
            return Err(CliError::Said(format!(
                "services.{name}.build.{key}: is not supported by this engine's builds"
            )));
        }
    }
    Ok(())
}

/// A Dockerfile that stands in the Compose file: a temporary file while it is built.
struct Inline(std::path::PathBuf);

impl Inline {
    fn of(build: &Build) -> Result<Option<Self>, CliError> {
        let Some(text) = &build.dockerfile_inline else {
            return Ok(None);
        };
        let path = std::env::temp_dir().join(format!(
            "compose-dockerfile-{}-{:x}",
            std::process::id(),
            text.len()
        ));
        let failed = |source| CliError::File {
            what: "cannot write",
            path: path.display().to_string(),
            source,
        };
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed)?;
        let inline = Self(path.clone());
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(Some(inline))
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            output::complain(&format!("cannot remove {}: {error}", self.0.display()));
        }
    }
}

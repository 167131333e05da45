//! `docker compose config`: the project as it was understood.

use serde_json::Value;

use super::{PROJECT, scope};
use crate::cli::commands::{Command, Operands};
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};
use crate::cli::{Session, output};
use crate::compose::body;

/// The command.
pub(crate) static COMMAND: Command = Command {
    paths: &["compose config", "compose convert"],
    about: "Parse, resolve and render compose file in canonical format",
    synopsis: "[OPTIONS] [SERVICE...]",
    flags: &[PROJECT, OWN],
    operands: Operands::Any,
    order: Order::Anywhere,
    run: |session, matches| Box::pin(config(session, matches)),
};

const OWN: &[Flag] = &[
    Flag::switch("environment", "Print environment used for interpolation"),
    Flag::text("format", "Format the output. Values: [yaml | json]").default("yaml"),
    Flag::text("hash", "Print the service config hash, one per line"),
    Flag::switch("images", "Print the image names, one per line"),
    Flag::switch(
        "no-consistency",
        "Don't check model consistency - warning: may produce invalid Compose output",
    ),
    Flag::switch("no-interpolate", "Don't interpolate environment variables"),
    Flag::text("output", "Save to file (default to stdout)").short('o'),
    Flag::switch("profiles", "Print the profile names, one per line"),
    Flag::switch(
        "quiet",
        "Only validate the configuration, don't print anything",
    )
    .short('q'),
    Flag::switch("services", "Print the service names, one per line"),
    Flag::switch("volumes", "Print the volume names, one per line"),
];

/// Options that ask for one thing of the project, which only a whole one has.
const ASKING: [&str; 5] = ["services", "volumes", "environment", "images", "profiles"];

async fn config(_: &Session, matches: &Matches) -> Result<u8, CliError> {
    if matches.on("no-interpolate") {
        if let Some(asking) = ASKING.into_iter().find(|name| matches.on(name)) {
            return Err(CliError::Said(format!(
                "--{asking} cannot be answered with --no-interpolate: what variables stand for is not known"
            )));
        }
        if matches.text("hash").is_some() || !matches.operands.is_empty() {
            return Err(CliError::Said(
                "--no-interpolate shows the files as a whole: leave out --hash and names of services"
                    .into(),
            ));
        }
        let (name, mut value) = scope::unresolved(matches)?;
        if matches.on("quiet") {
            return Ok(0);
        }
        if let Some(members) = value.as_object_mut() {
            members.insert("name".into(), name.into());
        }
        return write(&document(&value, matches.text("format"))?, matches);
    }
    let mut project = scope::project(matches, &matches.operands)?;
    if !matches.operands.is_empty() {
        let chosen = crate::compose::order::with_needs(&project.services, &matches.operands);
        project.services.retain(|name, _| chosen.contains(name));
    }
    if matches.on("quiet") {
        return Ok(0);
    }
    let lines: Option<Vec<String>> = if matches.on("services") {
        Some(project.services.keys().cloned().collect())
    } else if matches.on("volumes") {
        Some(project.volumes.keys().cloned().collect())
    } else if matches.on("environment") {
        let pairs = project.environment.iter();
        Some(
            pairs
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        )
    } else if matches.on("images") {
        let services = project.services.iter();
        Some(
            services
                .map(|(name, service)| body::image(&project, name, service))
                .collect(),
        )
    } else if matches.on("profiles") {
        let services = project.services.values().chain(project.disabled.values());
        let profiles: std::collections::BTreeSet<String> = services
            .flat_map(|service| service.profiles.clone())
            .collect();
        Some(profiles.into_iter().collect())
    } else if let Some(which) = matches.text("hash") {
        let mut lines = Vec::new();
        for (name, service) in &project.services {
            if which == "*" || which.split(',').any(|wanted| wanted == name) {
                let hash = body::hash(&project, service).map_err(scope::said)?;
                lines.push(format!("{name} {hash}"));
            }
        }
        Some(lines)
    } else {
        None
    };
    let text = match lines {
        Some(lines) => lines.into_iter().map(|line| line + "\n").collect(),
        None => {
            let mut value = serde_json::to_value(&project)
                .map_err(|error| CliError::Said(format!("cannot render the project: {error}")))?;
            prune(&mut value);
            document(&value, matches.text("format"))?
        }
    };
    write(&text, matches)
}

fn write(text: &str, matches: &Matches) -> Result<u8, CliError> {
    match matches.text("output") {
        None => output::print(text)?,
        Some(path) => std::fs::write(path, text).map_err(|source| CliError::File {
            what: "cannot write",
            path: path.to_owned(),
            source,
        })?,
    }
    Ok(0)
}

fn document(value: &Value, format: Option<&str>) -> Result<String, CliError> {
    match format {
        Some("json") => Ok(crate::cli::format::document::indented(value) + "\n"),
        Some("yaml") | None => serde_saphyr::to_string(value)
            .map_err(|error| CliError::Said(format!("cannot render the project: {error}"))),
        Some(other) => Err(CliError::Said(format!(
            "unsupported format \"{other}\": yaml or json was expected"
        ))),
    }
}

/// Leaves out what nobody said: nulls, empty lists and mappings, `false`.
fn prune(value: &mut Value) {
    let Value::Object(members) = value else {
        return;
    };
    for (key, member) in members.iter_mut() {
        match member {
            // An empty place in a network is still a place in it; a variable without a value is one.
            Value::Object(inner) if matches!(key.as_str(), "networks" | "volumes") => {
                inner.values_mut().for_each(prune);
            }
            Value::Object(_) if key == "environment" => {}
            Value::Array(items) => items.iter_mut().for_each(prune),
            _ => prune(member),
        }
    }
    members.retain(|key, member| match member {
        Value::Null => key != key.to_lowercase().as_str(),
        Value::Bool(is) => *is || key == "required",
        Value::Array(items) => !items.is_empty(),
        Value::Object(inner) => !inner.is_empty() || key == "default",
        _ => true,
    });
}

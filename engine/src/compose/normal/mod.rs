//! Every short spelling becomes the long one, so that merging, checking and comparing know one form only.
//!
//! Host paths become absolute here, because only here the folder of their file is known. What a key may hold is
//! the Compose specification's "services" section.

mod lent;
mod ports;
mod volumes;

use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::ComposeError;
use super::words;

/// Rewrites one service, found at `at`, of a file whose relative paths start from `directory`.
pub(crate) fn service(value: &mut Value, at: &str, directory: &Path) -> Result<(), ComposeError> {
    if value.is_null() {
        *value = json!({});
    }
    let Value::Object(service) = value else {
        return Err(ComposeError::invalid(at, "must be a mapping"));
    };
    service.retain(|key, _| !key.starts_with("x-"));
    let keys: Vec<String> = service.keys().cloned().collect();
    for key in keys {
        let at = format!("{at}.{key}");
        let member = service.get_mut(&key).expect("the key was just listed");
        match key.as_str() {
            "build" => build(member, &at, directory)?,
            "command" | "entrypoint" => command(member, &at)?,
            "environment" | "labels" | "annotations" | "sysctls" => mapping(member, &at)?,
            "extra_hosts" => hosts(member, &at)?,
            "env_file" => env_files(member, &at, directory)?,
            "label_file" => {
                one_or_many(member);
                for file in member.as_array_mut().into_iter().flatten() {
                    if let Value::String(path) = file {
                        *path = absolute(path, directory);
                    }
                }
            }
            "devices" => lent::devices(member),
            "gpus" => lent::gpus(member, &at)?,
            "deploy" => {
                if let Some(devices) = member.pointer_mut("/resources/reservations/devices") {
                    lent::gpus(devices, &at)?;
                }
            }
            "develop" => lent::triggers(member, &at, directory)?,
            "ports" => ports::normalize(member, &at)?,
            "volumes" => volumes::normalize(member, &at, directory)?,
            "networks" => {
                names_to_mapping(member, &at, &json!({}))?;
                let places = member.as_object_mut().into_iter();
                for place in places.flat_map(|map| map.values_mut()) {
                    if let Some(options) = place.get_mut("driver_opts") {
                        mapping(options, &format!("{at}.driver_opts"))?;
                    }
                }
            }
            "depends_on" => {
                names_to_mapping(member, &at, &json!({ "condition": "service_started" }))?
            }
            "configs" | "secrets" => grants(member, &at)?,
            "expose" => strings(member, &at)?,
            "tmpfs" | "dns" | "dns_search" | "dns_opt" => {
                one_or_many(member);
                strings(member, &at)?;
            }
            "ulimits" => ulimits(member, &at)?,
            "healthcheck" => health(member, &at)?,
            "logging" => {
                if let Some(options) = member.get_mut("options") {
                    mapping(options, &format!("{at}.options"))?;
                }
            }
            "container_name" | "hostname" | "user" | "cpuset" | "stop_signal" | "image" => {
                scalar(member, &at)?;
            }
            "extends" => {
                if let Value::String(name) = member {
                    *member = json!({ "service": name });
                }
                absolute_at(member, "file", directory);
            }
            _ => {}
        }
    }
    Ok(())
}

fn build(value: &mut Value, at: &str, directory: &Path) -> Result<(), ComposeError> {
    if let Value::String(context) = value {
        *value = json!({ "context": context });
    }
    let Value::Object(build) = value else {
        return Err(ComposeError::invalid(at, "must be a path or a mapping"));
    };
    for key in ["args", "labels", "additional_contexts", "ssh"] {
        if let Some(member) = build.get_mut(key) {
            mapping(member, &format!("{at}.{key}"))?;
        }
    }
    if let Some(member) = build.get_mut("ulimits") {
        ulimits(member, &format!("{at}.ulimits"))?;
    }
    if let Some(member) = build.get_mut("no_cache_filter") {
        one_or_many(member);
    }
    let contexts = build
        .get_mut("additional_contexts")
        .and_then(Value::as_object_mut);
    for place in contexts.into_iter().flat_map(|map| map.values_mut()) {
        if let Value::String(path) = place
            && !is_remote(path)
            && !path.starts_with("service:")
        {
            *path = absolute(path, directory);
        }
    }
    if let Some(member) = build.get_mut("extra_hosts") {
        hosts(member, &format!("{at}.extra_hosts"))?;
    }
    if let Some(member) = build.get_mut("secrets") {
        grants(member, &format!("{at}.secrets"))?;
    }
    let context = build.entry("context").or_insert_with(|| json!("."));
    if let Value::String(path) = context
        && !is_remote(path)
    {
        *path = absolute(path, directory);
    }
    Ok(())
}

/// A build context that is not a folder of this host.
fn is_remote(context: &str) -> bool {
    context.contains("://") || context.starts_with("git@") || context.starts_with("github.com/")
}

/// A text is split into words; a list is kept, its items made texts.
fn command(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    match value {
        Value::Null => Ok(()),
        Value::String(text) => {
            *value = json!(words::split(text).map_err(|why| ComposeError::invalid(at, why))?);
            Ok(())
        }
        _ => strings(value, at),
    }
}

/// `[A=1, B]` and `{A: 1, B: null}` become `{A: "1", B: null}`.
pub(super) fn mapping(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    let mut map = Map::new();
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for item in items {
                let Some(text) = plain(item) else {
                    return Err(ComposeError::invalid(at, "must hold texts `NAME=value`"));
                };
                match text.split_once('=') {
                    Some((name, value)) => map.insert(name.to_owned(), json!(value)),
                    None => map.insert(text, Value::Null),
                };
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let member = match member {
                    Value::Null => Value::Null,
                    other => json!(plain(other).ok_or_else(|| ComposeError::invalid(
                        format!("{at}.{name}"),
                        "must be a text, a number, true, false or null"
                    ))?),
                };
                map.insert(name.clone(), member);
            }
        }
        _ => return Err(ComposeError::invalid(at, "must be a mapping or a list")),
    }
    *value = map.into();
    Ok(())
}

/// `["web:10.0.0.1"]`, `["web=10.0.0.1"]` and `{web: 10.0.0.1}` become `["web:10.0.0.1"]`.
fn hosts(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    let invalid = || ComposeError::invalid(at, "must hold `HOST:ADDRESS` entries");
    let mut list = Vec::new();
    match value {
        Value::Array(items) => {
            for item in items {
                let text = item.as_str().ok_or_else(invalid)?;
                let (host, address) = text
                    .split_once('=')
                    .or_else(|| text.split_once(':'))
                    .ok_or_else(invalid)?;
                list.push(format!("{host}:{}", address.trim_matches(['[', ']'])));
            }
        }
        Value::Object(members) => {
            for (host, address) in members {
                let addresses = match address {
                    Value::Array(several) => several.clone(),
                    one => vec![one.clone()],
                };
                for address in addresses {
                    list.push(format!("{host}:{}", address.as_str().ok_or_else(invalid)?));
                }
            }
        }
        _ => return Err(invalid()),
    }
    *value = json!(list);
    Ok(())
}

fn env_files(value: &mut Value, at: &str, directory: &Path) -> Result<(), ComposeError> {
    one_or_many(value);
    let Value::Array(files) = value else {
        return Err(ComposeError::invalid(at, "must be a path or a list"));
    };
    for file in files {
        if let Value::String(path) = file {
            *file = json!({ "path": path });
        }
        absolute_at(file, "path", directory);
    }
    Ok(())
}

/// `[a, b]` becomes `{a: …, b: …}` with a copy of `member` each; a `null` member becomes one too.
fn names_to_mapping(value: &mut Value, at: &str, member: &Value) -> Result<(), ComposeError> {
    let mut map = Map::new();
    match value {
        Value::Null => {}
        Value::Array(names) => {
            for name in names {
                let name = name
                    .as_str()
                    .ok_or_else(|| ComposeError::invalid(at, "must hold names"))?;
                map.insert(name.to_owned(), member.clone());
            }
        }
        Value::Object(members) => {
            for (name, given) in members {
                let given = match given {
                    Value::Null => member.clone(),
                    other => other.clone(),
                };
                map.insert(name.clone(), given);
            }
        }
        _ => return Err(ComposeError::invalid(at, "must be a mapping or a list")),
    }
    *value = map.into();
    Ok(())
}

/// Configs and secrets: a name alone becomes `{source: name}`.
fn grants(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    let Value::Array(items) = value else {
        return Err(ComposeError::invalid(at, "must be a list"));
    };
    for item in items {
        if let Value::String(name) = item {
            *item = json!({ "source": name });
        }
    }
    Ok(())
}

fn ulimits(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    let Value::Object(limits) = value else {
        return Err(ComposeError::invalid(at, "must be a mapping"));
    };
    for limit in limits.values_mut() {
        if limit.is_number() {
            *limit = json!({ "soft": limit, "hard": limit });
        }
    }
    Ok(())
}

fn health(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    if let Some(test) = value.get_mut("test") {
        match test {
            Value::String(text) => *test = json!(["CMD-SHELL", text]),
            _ => strings(test, &format!("{at}.test"))?,
        }
        let first = test[0].as_str().unwrap_or("NONE");
        if !matches!(first, "CMD" | "CMD-SHELL" | "NONE") {
            return Err(ComposeError::invalid(
                format!("{at}.test"),
                "must start either by \"CMD\", \"CMD-SHELL\" or \"NONE\"",
            ));
        }
    }
    Ok(())
}

pub(super) fn one_or_many(value: &mut Value) {
    if !value.is_array() && !value.is_null() {
        *value = Value::Array(vec![value.take()]);
    }
}

/// The items of a list become texts.
fn strings(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    let Value::Array(items) = value else {
        return Err(ComposeError::invalid(at, "must be a list"));
    };
    for item in items {
        scalar(item, at)?;
    }
    Ok(())
}

fn scalar(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    match plain(value) {
        Some(text) => *value = Value::String(text),
        None => return Err(ComposeError::invalid(at, "must be a text")),
    }
    Ok(())
}

/// A text, a number or a boolean, as text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // As Go prints a decimal number: `1.0` is 1.
        Value::Number(number) => Some(match number.as_f64() {
            Some(decimal) if number.is_f64() && decimal.fract() == 0.0 && decimal.abs() < 1e15 => {
                format!("{decimal:.0}")
            }
            _ => number.to_string(),
        }),
        Value::Bool(is) => Some(is.to_string()),
        _ => None,
    }
}

/// Makes the path under `key` absolute.
pub(super) fn absolute_at(value: &mut Value, key: &str, directory: &Path) {
    if let Some(Value::String(path)) = value.get_mut(key) {
        *path = absolute(path, directory);
    }
}

/// `path` seen from `directory`, without `.` and `..`; `~` is the home directory.
pub(super) fn absolute(path: &str, directory: &Path) -> String {
    let path = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            format!("{}{rest}", std::env::var("HOME").unwrap_or_default())
        }
        _ => path.to_owned(),
    };
    let mut clean = std::path::PathBuf::new();
    for part in directory.join(path).components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(short: Value, long: Value) {
        let mut value = short;
        service(&mut value, "services.web", Path::new("/app")).unwrap();
        assert_eq!(value, long);
    }

    #[test]
    fn short_spellings_become_long_ones() {
        check(
            json!({ "build": "./web", "command": "run 'a b'", "environment": ["A=1", "B"] }),
            json!({
                "build": { "context": "/app/web" },
                "command": ["run", "a b"],
                "environment": { "A": "1", "B": null },
            }),
        );
        check(
            json!({ "depends_on": ["db"], "networks": ["back"], "dns": "1.1.1.1", "x-note": 1 }),
            json!({
                "depends_on": { "db": { "condition": "service_started" } },
                "networks": { "back": {} },
                "dns": ["1.1.1.1"],
            }),
        );
        check(
            json!({ "env_file": "a.env", "ulimits": { "nofile": 5 }, "healthcheck": { "test": "true" } }),
            json!({
                "env_file": [{ "path": "/app/a.env" }],
                "ulimits": { "nofile": { "soft": 5, "hard": 5 } },
                "healthcheck": { "test": ["CMD-SHELL", "true"] },
            }),
        );
        check(
            json!({ "extra_hosts": ["a=10.0.0.1", "b:10.0.0.2"], "secrets": ["s"] }),
            json!({ "extra_hosts": ["a:10.0.0.1", "b:10.0.0.2"], "secrets": [{ "source": "s" }] }),
        );
    }

    #[test]
    fn a_wrong_kind_is_refused_with_its_place() {
        let mut value = json!({ "environment": 5 });
        let error = service(&mut value, "services.web", Path::new("/")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "services.web.environment: must be a mapping or a list"
        );
    }
}

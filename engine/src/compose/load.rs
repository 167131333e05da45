//! From file names to one merged document: parse, interpolate, lengthen, extend, include, merge.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::error::ComposeError;
use super::interpolate::{self, Environment};
use super::merge::merge;
use super::normal;

/// A Compose file has no business being larger, in bytes.
const LARGEST: u64 = 4 << 20;

/// Files that are looked for, in this order, when none is named.
pub(crate) const USUAL: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// The keys a document may have besides `x-…`.
const KEYS: [&str; 8] = [
    "version", "name", "services", "networks", "volumes", "configs", "secrets", "include",
];

/// How deep `include` and `extends` may lead.
const DEEPEST: usize = 16;

/// What was read, and what the reader should be told about it.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The merged document in long form.
    pub(crate) value: Value,
    /// Sentences for stderr.
    pub(crate) warnings: Vec<String>,
}

/// Reads and merges `files`; their relative paths start from `directory`. `-` is standard input.
pub(crate) fn files(
    files: &[PathBuf],
    directory: &Path,
    environment: &Environment,
) -> Result<Document, ComposeError> {
    let mut loader = Loader {
        environment,
        unset: Vec::new(),
        warnings: Vec::new(),
    };
    let mut value = json!({});
    for file in files {
        let document = loader.file(file, directory, 0)?;
        merge(&mut value, document, "");
    }
    let mut warnings: Vec<String> = loader
        .unset
        .iter()
        .map(|name| format!("The \"{name}\" variable is not set. Defaulting to a blank string."))
        .collect();
    warnings.append(&mut loader.warnings);
    Ok(Document { value, warnings })
}

struct Loader<'a> {
    environment: &'a Environment,
    unset: Vec<String>,
    warnings: Vec<String>,
}

impl Loader<'_> {
    /// One file in long form, with what it includes and extends.
    fn file(&mut self, path: &Path, directory: &Path, depth: usize) -> Result<Value, ComposeError> {
        if depth > DEEPEST {
            return Err(ComposeError::invalid(
                path.display().to_string(),
                "files include each other without end",
            ));
        }
        let mut document = parse(path)?;
        document.retain(|key, _| !key.starts_with("x-"));
        for key in document.keys() {
            if !KEYS.contains(&key.as_str()) {
                return Err(ComposeError::invalid(
                    path.display().to_string(),
                    format!("additional properties '{key}' not allowed"),
                ));
            }
        }
        let mut value = Value::Object(document);
        interpolate::document(&mut value, "", self.environment, &mut self.unset)?;
        if value.get("version").is_some() {
            self.warnings.push(format!(
                "{}: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion",
                path.display()
            ));
            value.as_object_mut().expect("made above").remove("version");
        }
        sections(&mut value, directory)?;
        if let Some(Value::Object(services)) = value.get_mut("services") {
            for (name, service) in services.iter_mut() {
                normal::service(service, &format!("services.{name}"), directory)?;
            }
        }
        self.extend(&mut value, path, directory, depth)?;
        self.include(value, directory, depth)
    }

    /// Puts every service of the file on top of the one it extends.
    fn extend(
        &mut self,
        value: &mut Value,
        path: &Path,
        directory: &Path,
        depth: usize,
    ) -> Result<(), ComposeError> {
        let Some(Value::Object(services)) = value.get("services") else {
            return Ok(());
        };
        let services = services.clone();
        for name in services.keys() {
            let extended = self.extended(
                &services,
                name,
                path,
                directory,
                depth,
                &mut BTreeSet::new(),
            )?;
            value["services"][name] = extended;
        }
        Ok(())
    }

    fn extended(
        &mut self,
        services: &Map<String, Value>,
        name: &str,
        path: &Path,
        directory: &Path,
        depth: usize,
        seen: &mut BTreeSet<String>,
    ) -> Result<Value, ComposeError> {
        let at = format!("services.{name}.extends");
        let mut service = services
            .get(name)
            .cloned()
            .ok_or_else(|| ComposeError::NoService(name.to_owned()))?;
        let Some(extends) = service
            .as_object_mut()
            .and_then(|map| map.remove("extends"))
        else {
            return Ok(service);
        };
        if !seen.insert(name.to_owned()) {
            return Err(ComposeError::Cycle(
                seen.iter().cloned().chain([name.to_owned()]).collect(),
            ));
        }
        let Some(base) = extends["service"].as_str() else {
            return Err(ComposeError::invalid(at, "names no service"));
        };
        let mut below = match extends["file"].as_str() {
            Some(file) if Path::new(file) != path => {
                let file = PathBuf::from(file);
                let parent = file.parent().unwrap_or(directory).to_owned();
                let other = self.file(&file, &parent, depth + 1)?;
                other["services"].get(base).cloned().ok_or_else(|| {
                    ComposeError::invalid(
                        at,
                        format!("service \"{base}\" not found in {}", file.display()),
                    )
                })?
            }
            _ if !services.contains_key(base) => {
                return Err(ComposeError::invalid(
                    at,
                    format!("service \"{base}\" not found"),
                ));
            }
            _ => self.extended(services, base, path, directory, depth, seen)?,
        };
        // What a service waits for is its own affair.
        if let Some(below) = below.as_object_mut() {
            below.remove("depends_on");
        }
        merge(&mut below, service, name);
        Ok(below)
    }

    /// Puts the file on top of what it includes.
    fn include(
        &mut self,
        mut value: Value,
        directory: &Path,
        depth: usize,
    ) -> Result<Value, ComposeError> {
        let Some(include) = value
            .as_object_mut()
            .and_then(|document| document.remove("include"))
        else {
            return Ok(value);
        };
        let Value::Array(entries) = include else {
            return Err(ComposeError::invalid("include", "must be a list"));
        };
        let mut below = json!({});
        for mut entry in entries {
            if let Value::String(path) = &entry {
                entry = json!({ "path": path });
            }
            for key in entry.as_object().into_iter().flat_map(|map| map.keys()) {
                if !matches!(key.as_str(), "path" | "project_directory") {
                    return Err(ComposeError::invalid(
                        format!("include.{key}"),
                        "is not supported: `path` and `project_directory` are",
                    ));
                }
            }
            normal::one_or_many(&mut entry["path"]);
            let paths: Vec<PathBuf> = entry["path"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|path| PathBuf::from(normal::absolute(path, directory)))
                .collect();
            let Some(first) = paths.first() else {
                return Err(ComposeError::invalid("include", "names no path"));
            };
            let base = match entry["project_directory"].as_str() {
                Some(folder) => PathBuf::from(normal::absolute(folder, directory)),
                None => first.parent().unwrap_or(directory).to_owned(),
            };
            let mut included = json!({});
            for path in &paths {
                let document = self.file(path, &base, depth + 1)?;
                merge(&mut included, document, "");
            }
            if let Some(included) = included.as_object_mut() {
                included.remove("name");
            }
            merge(&mut below, included, "");
        }
        merge(&mut below, value, "");
        Ok(below)
    }
}

/// Top-level networks, volumes, configs and secrets: mappings of mappings.
fn sections(value: &mut Value, directory: &Path) -> Result<(), ComposeError> {
    for section in ["services", "networks", "volumes", "configs", "secrets"] {
        let Some(entries) = value.get_mut(section) else {
            continue;
        };
        if entries.is_null() {
            *entries = json!({});
        }
        let Value::Object(entries) = entries else {
            return Err(ComposeError::invalid(section, "must be a mapping"));
        };
        for (name, entry) in entries.iter_mut() {
            let at = format!("{section}.{name}");
            check_name(name, &at)?;
            if section == "services" {
                continue;
            }
            if entry.is_null() {
                *entry = json!({});
            }
            let Value::Object(members) = entry else {
                return Err(ComposeError::invalid(at, "must be a mapping"));
            };
            members.retain(|key, _| !key.starts_with("x-"));
            for key in ["labels", "driver_opts"] {
                if let Some(member) = members.get_mut(key) {
                    normal::mapping(member, &format!("{at}.{key}"))?;
                }
            }
            normal::absolute_at(entry, "file", directory);
        }
    }
    Ok(())
}

/// Names of a project: letters, digits, `.`, `_` and `-`.
fn check_name(name: &str, at: &str) -> Result<(), ComposeError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(ComposeError::invalid(
            at,
            "a name is made of letters, digits, `.`, `_` and `-`",
        ));
    }
    Ok(())
}

/// The document of a file, a mapping.
fn parse(path: &Path) -> Result<Map<String, Value>, ComposeError> {
    let read = |source| ComposeError::Read {
        path: path.to_owned(),
        source,
    };
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::Read::read_to_string(
            &mut std::io::Read::take(std::io::stdin(), LARGEST + 1),
            &mut text,
        )
        .map_err(read)?;
        text
    } else {
        let size = std::fs::metadata(path).map_err(read)?.len();
        if size > LARGEST {
            return Err(too_large(path));
        }
        std::fs::read_to_string(path).map_err(read)?
    };
    if text.len() as u64 > LARGEST {
        return Err(too_large(path));
    }
    let yaml = |why: String| ComposeError::Yaml {
        path: path.to_owned(),
        why,
    };
    match serde_saphyr::from_str::<Value>(&text).map_err(|error| yaml(error.to_string()))? {
        Value::Object(document) => Ok(document),
        Value::Null => Err(yaml("empty compose file".to_owned())),
        _ => Err(yaml("Top-level object must be a mapping".to_owned())),
    }
}

fn too_large(path: &Path) -> ComposeError {
    ComposeError::TooLarge {
        path: path.to_owned(),
        limit: LARGEST,
    }
}

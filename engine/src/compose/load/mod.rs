//! From file names to one merged document: parse, interpolate, check, lengthen, extend, include, merge.

mod extend;
mod include;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::error::ComposeError;
use super::interpolate::{self, Environment};
use super::merge::merge;
use super::normal;
use super::schema::Checker;
use super::yaml::{self, Cut};

/// A Compose file has no business being larger, in bytes.
const LARGEST: u64 = 4 << 20;

/// Files that are looked for, in this order, when none is named.
pub(crate) const USUAL: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// How deep `include` and `extends` may lead.
const DEEPEST: usize = 16;

/// What becomes of the references to variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Variables {
    /// They are replaced.
    #[default]
    Replaced,
    /// They stay as they are written.
    Kept,
}

/// What was read, and what the reader should be told about it.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The merged document in long form.
    pub(crate) value: Value,
    /// Sentences for stderr.
    pub(crate) warnings: Vec<String>,
}

/// Where a file is read from, and with what.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    /// Relative paths start here.
    directory: &'a Path,
    /// What its references are replaced with.
    environment: &'a Environment,
    /// How many files led to it.
    depth: usize,
}

/// One file in long form.
#[derive(Debug)]
struct Layer {
    value: Value,
    /// What it takes out of the files before it.
    cuts: Vec<Cut>,
}

/// Reads and merges `files`; their relative paths start from `directory`. `-` is standard input.
pub(super) fn files(
    files: &[PathBuf],
    directory: &Path,
    environment: &Environment,
    variables: Variables,
) -> Result<Document, ComposeError> {
    let mut loader = Loader {
        variables,
        unset: Vec::new(),
        checker: Checker::default(),
    };
    let place = Place {
        directory,
        environment,
        depth: 0,
    };
    let mut value = json!({});
    for file in files {
        for layer in loader.file(file, place)? {
            put(&mut value, layer);
        }
    }
    let mut warnings: Vec<String> = loader
        .unset
        .iter()
        .map(|name| format!("The \"{name}\" variable is not set. Defaulting to a blank string."))
        .collect();
    warnings.append(&mut loader.checker.warnings);
    Ok(Document { value, warnings })
}

/// Puts a layer on top of what is there.
fn put(value: &mut Value, layer: Layer) {
    yaml::cut(value, &layer.cuts, &[]);
    merge(value, layer.value, "");
}

struct Loader {
    variables: Variables,
    unset: Vec<String>,
    checker: Checker,
}

impl Loader {
    /// The documents of one file in long form, with what they include and extend.
    fn file(&mut self, path: &Path, place: Place<'_>) -> Result<Vec<Layer>, ComposeError> {
        if place.depth > DEEPEST {
            return Err(ComposeError::invalid(
                path.display().to_string(),
                "files include each other without end",
            ));
        }
        let documents = parse(path)?;
        let mut layers = Vec::with_capacity(documents.len());
        for document in documents {
            let warnings = document.warnings.into_iter();
            self.checker
                .warnings
                .extend(warnings.map(|warning| format!("{}: {warning}", path.display())));
            let mut layer = Layer {
                value: document.value,
                cuts: document.cuts,
            };
            self.lengthen(&mut layer.value, path, place)?;
            self.extend(&mut layer, path, place)?;
            layers.push(self.include(layer, path, place)?);
        }
        Ok(layers)
    }

    /// Replaces variables, checks what stands where, and makes short spellings long.
    fn lengthen(
        &mut self,
        value: &mut Value,
        path: &Path,
        place: Place<'_>,
    ) -> Result<(), ComposeError> {
        if self.variables == Variables::Replaced {
            interpolate::document(value, "", place.environment, &mut self.unset)?;
            self.checker
                .document(value)
                .map_err(|error| error.in_file(path))?;
        }
        let Value::Object(document) = &mut *value else {
            return Err(ComposeError::Document {
                path: path.to_owned(),
                why: "Top-level object must be a mapping",
            });
        };
        document.retain(|key, _| !key.starts_with("x-"));
        if self.variables == Variables::Replaced && document.shift_remove("version").is_some() {
            self.checker.warnings.push(format!(
                "{}: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion",
                path.display()
            ));
        }
        if self.variables == Variables::Kept {
            // What a reference will be is not known: short spellings stay short.
            return Ok(());
        }
        sections(value, place.directory)?;
        if let Some(Value::Object(services)) = value.get_mut("services") {
            for (name, service) in services.iter_mut() {
                normal::service(service, &format!("services.{name}"), place.directory)?;
            }
        }
        Ok(())
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

/// The documents of a file.
fn parse(path: &Path) -> Result<Vec<yaml::Document>, ComposeError> {
    let text = text(path)?;
    let documents = yaml::read(&text).map_err(|source| ComposeError::Yaml {
        path: path.to_owned(),
        source,
    })?;
    if documents.iter().all(|document| document.value.is_null()) {
        return Err(ComposeError::Document {
            path: path.to_owned(),
            why: "empty compose file",
        });
    }
    Ok(documents
        .into_iter()
        .filter(|document| !document.value.is_null())
        .collect())
}

fn text(path: &Path) -> Result<String, ComposeError> {
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
    match text.len() as u64 > LARGEST {
        true => Err(too_large(path)),
        false => Ok(text),
    }
}

fn too_large(path: &Path) -> ComposeError {
    ComposeError::TooLarge {
        path: path.to_owned(),
        limit: LARGEST,
    }
}

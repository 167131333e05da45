//! `include`: other projects' files, read with their own folder and variables.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Layer, Loader, Place, put};
use crate::compose::dotenv;
use crate::compose::error::ComposeError;
use crate::compose::normal;

impl Loader {
    /// Adds to the layer what it includes; the two must not say different things of the same name.
    pub(super) fn include(
        &mut self,
        mut layer: Layer,
        path: &Path,
        place: Place<'_>,
    ) -> Result<Layer, ComposeError> {
        let document = layer.value.as_object_mut();
        let Some(include) = document.and_then(|document| document.shift_remove("include")) else {
            return Ok(layer);
        };
        let Value::Array(entries) = include else {
            return Err(ComposeError::invalid("`include`", "must be a list"));
        };
        for (index, mut entry) in entries.into_iter().enumerate() {
            self.checker
                .include(&mut entry, &format!("include.{index}"))
                .map_err(|error| error.in_file(path))?;
            let included = self.included(entry, place)?;
            import(&mut layer.value, included)?;
        }
        Ok(layer)
    }

    fn included(&mut self, mut entry: Value, place: Place<'_>) -> Result<Value, ComposeError> {
        if let Value::String(path) = &entry {
            entry = json!({ "path": path });
        }
        let paths = listed(&mut entry, "path", place.directory);
        let Some(first) = paths.first() else {
            return Err(ComposeError::invalid("`include`", "names no path"));
        };
        let directory = match entry["project_directory"].as_str() {
            Some(folder) => PathBuf::from(normal::absolute(folder, place.directory)),
            None => first.parent().unwrap_or(place.directory).to_owned(),
        };
        let mut files = listed(&mut entry, "env_file", place.directory);
        let usual = directory.join(".env");
        if files.is_empty() && usual.is_file() {
            files.push(usual);
        }
        let mut environment = dotenv::environment(&files, place.environment)?;
        environment.extend(place.environment.clone());
        let inner = Place {
            directory: &directory,
            environment: &environment,
            depth: place.depth + 1,
        };
        let mut included = json!({});
        for path in &paths {
            for layer in self.file(path, inner)? {
                put(&mut included, layer);
            }
        }
        Ok(included)
    }
}

/// The paths under `key`, one or several.
fn listed(entry: &mut Value, key: &str, directory: &Path) -> Vec<PathBuf> {
    let mut value = entry[key].take();
    normal::one_or_many(&mut value);
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|path| PathBuf::from(normal::absolute(path, directory)))
        .collect()
}

/// Adds the sections of `included` to those of `value`.
fn import(value: &mut Value, included: Value) -> Result<(), ComposeError> {
    let Value::Object(included) = included else {
        return Ok(());
    };
    for (section, entries) in included {
        let Value::Object(entries) = entries else {
            continue;
        };
        let there = &mut value[section.as_str()];
        if there.is_null() {
            *there = Value::Object(Map::new());
        }
        for (name, entry) in entries {
            match there.get(&name) {
                Some(same) if *same == entry => {}
                Some(_) => {
                    return Err(ComposeError::invalid(
                        format!("{section}.{name}"),
                        "conflicts with imported resource",
                    ));
                }
                None => there[name.as_str()] = entry,
            }
        }
    }
    Ok(())
}

//! `extends`: a service on top of another one, of its own file or of another.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Layer, Loader, Place, put};
use crate::compose::error::ComposeError;
use crate::compose::merge::merge;
use crate::compose::normal;
use crate::compose::yaml::{self, Cut};

/// What the services of one file have in common.
struct File<'a> {
    services: &'a Map<String, Value>,
    cuts: &'a [Cut],
    path: &'a Path,
    place: Place<'a>,
}

impl Loader {
    /// Puts every service of the file on top of the one it extends.
    pub(super) fn extend(
        &mut self,
        layer: &mut Layer,
        path: &Path,
        place: Place<'_>,
    ) -> Result<(), ComposeError> {
        let Some(Value::Object(services)) = layer.value.get("services") else {
            return Ok(());
        };
        let services = services.clone();
        let file = File {
            services: &services,
            cuts: &layer.cuts,
            path,
            place,
        };
        for name in services.keys() {
            let extended = self.extended(&file, name, &mut Vec::new())?;
            layer.value["services"][name] = extended;
        }
        Ok(())
    }

    fn extended(
        &mut self,
        file: &File<'_>,
        name: &str,
        seen: &mut Vec<String>,
    ) -> Result<Value, ComposeError> {
        let at = format!("services.{name}.extends");
        let mut service = file
            .services
            .get(name)
            .cloned()
            .ok_or_else(|| ComposeError::NoService(name.to_owned()))?;
        let Some(extends) = service
            .as_object_mut()
            .and_then(|map| map.shift_remove("extends"))
        else {
            return Ok(service);
        };
        let link = format!("{name} in {}", file.path.display());
        let is_again = seen.contains(&link);
        seen.push(link);
        if is_again {
            return Err(ComposeError::Circular(std::mem::take(seen)));
        }
        let Some(base) = extends["service"].as_str().or(extends.as_str()) else {
            return Err(ComposeError::invalid(at, "names no service"));
        };
        let missing = |path: &Path| {
            ComposeError::invalid(
                format!(
                    "cannot extend service \"{name}\" in {}",
                    file.path.display()
                ),
                format!("service \"{base}\" not found in {}", path.display()),
            )
        };
        let mut below = match extends["file"].as_str() {
            Some(other) if Path::new(other) != file.path => {
                let other = PathBuf::from(normal::absolute(other, file.place.directory));
                let place = Place {
                    directory: other.parent().unwrap_or(file.place.directory),
                    depth: file.place.depth + 1,
                    ..file.place
                };
                let mut value = Value::Object(Map::new());
                for layer in self.file(&other, place)? {
                    put(&mut value, layer);
                }
                let found = value["services"].get(base).cloned();
                found.ok_or_else(|| missing(&other))?
            }
            _ if !file.services.contains_key(base) => return Err(missing(file.path)),
            _ => self.extended(file, base, seen)?,
        };
        // What a service waits for is its own affair.
        if let Some(below) = below.as_object_mut() {
            below.shift_remove("depends_on");
        }
        yaml::cut(&mut below, file.cuts, &["services", name]);
        merge(&mut below, service, name);
        Ok(below)
    }
}

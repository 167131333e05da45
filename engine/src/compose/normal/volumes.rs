//! Mounts: `[SOURCE:]TARGET[:OPTIONS]`; a source that looks like a path is one of the host, else it names a volume.

use std::path::Path;

use serde_json::{Value, json};

use super::{absolute, mapping};
use crate::compose::error::ComposeError;

/// Every entry becomes `{type, source, target, read_only, bind, volume}`.
pub(super) fn normalize(value: &mut Value, at: &str, directory: &Path) -> Result<(), ComposeError> {
    let Value::Array(entries) = value else {
        return Err(ComposeError::invalid(at, "must be a list"));
    };
    for entry in entries {
        match entry {
            Value::String(text) => {
                *entry = parse(text, directory).map_err(|why| ComposeError::invalid(at, why))?;
            }
            Value::Object(members) => {
                members.retain(|key, _| !key.starts_with("x-"));
                if let Some(labels) = members
                    .get_mut("volume")
                    .and_then(|volume| volume.get_mut("labels"))
                {
                    mapping(labels, &format!("{at}.volume.labels"))?;
                }
                if members.get("type").and_then(Value::as_str) == Some("bind")
                    && let Some(Value::String(source)) = members.get_mut("source")
                {
                    *source = absolute(source, directory);
                }
            }
            _ => return Err(ComposeError::invalid(at, "must hold mounts")),
        }
    }
    Ok(())
}

fn parse(text: &str, directory: &Path) -> Result<Value, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => return Err(format!("invalid volume \"{text}\": too many colons")),
    };
    if !target.starts_with('/') {
        return Err(format!(
            "invalid volume \"{text}\": the container's path must be absolute"
        ));
    }
    let is_path = source.starts_with(['/', '.', '~']);
    let mut mount = match source {
        "" => json!({ "type": "volume", "target": target }),
        path if is_path => json!({
            "type": "bind",
            "source": absolute(path, directory),
            "target": target,
            "bind": { "create_host_path": true },
        }),
        name => json!({ "type": "volume", "source": name, "target": target }),
    };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => mount["read_only"] = json!(true),
            "rw" => {}
            "nocopy" if !is_path => mount["volume"] = json!({ "nocopy": true }),
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" if is_path => {
                mount["bind"]["propagation"] = json!(option);
            }
            // Labels and consistency mean nothing on this kind of host, as in Docker.
            "z" | "Z" | "cached" | "delegated" | "consistent" => {}
            other => {
                return Err(format!(
                    "invalid volume \"{text}\": unknown option \"{other}\""
                ));
            }
        }
    }
    Ok(mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Value) {
        assert_eq!(parse(text, Path::new("/app")).unwrap(), expected, "{text}");
    }

    #[test]
    fn every_form_is_understood() {
        check("/data", json!({ "type": "volume", "target": "/data" }));
        check(
            "db:/data:ro",
            json!({ "type": "volume", "source": "db", "target": "/data", "read_only": true }),
        );
        check(
            "../conf:/etc/app:ro,rslave",
            json!({
                "type": "bind",
                "source": "/conf",
                "target": "/etc/app",
                "bind": { "create_host_path": true, "propagation": "rslave" },
                "read_only": true,
            }),
        );
        for bad in ["db:data", "a:/b:c:d", "db:/data:wo"] {
            assert!(parse(bad, Path::new("/app")).is_err(), "{bad}");
        }
    }
}

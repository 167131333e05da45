//! Devices, commands around a container's life, and watched paths in their long form.

use std::path::Path;

use serde_json::{Value, json};

use super::{absolute_at, command, mapping, one_or_many};
use crate::compose::error::ComposeError;

/// `/dev/a:/dev/b:rw` becomes `{source, target, permissions}`; the name of a CDI device has no target.
pub(super) fn devices(value: &mut Value) {
    for device in value.as_array_mut().into_iter().flatten() {
        let Value::String(text) = device else {
            continue;
        };
        let mut parts = text.split(':');
        let mut long = json!({ "source": parts.next() });
        for key in ["target", "permissions"] {
            if let Some(part) = parts.next() {
                long[key] = json!(part);
            }
        }
        *device = long;
    }
}

/// `all` is every GPU there is; what asks for no capability asks for `gpu`.
pub(super) fn gpus(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    if let Value::String(text) = value {
        if text != "all" {
            return Err(ComposeError::invalid(at, "must be \"all\" or a list"));
        }
        *value = json!([{ "count": -1, "capabilities": ["gpu"] }]);
    }
    for gpu in value.as_array_mut().into_iter().flatten() {
        if gpu["count"] == "all" {
            gpu["count"] = json!(-1);
        }
        if let Some(options) = gpu.get_mut("options") {
            mapping(options, &format!("{at}.options"))?;
        }
        if let Some(gpu) = gpu.as_object_mut() {
            gpu.entry("capabilities").or_insert_with(|| json!(["gpu"]));
        }
    }
    Ok(())
}

fn hook(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    if let Some(words) = value.get_mut("command") {
        command(words, &format!("{at}.command"))?;
    }
    if let Some(variables) = value.get_mut("environment") {
        mapping(variables, &format!("{at}.environment"))?;
    }
    Ok(())
}

/// Paths of the host become absolute.
pub(super) fn triggers(value: &mut Value, at: &str, directory: &Path) -> Result<(), ComposeError> {
    let triggers = value.get_mut("watch").and_then(Value::as_array_mut);
    for trigger in triggers.into_iter().flatten() {
        absolute_at(trigger, "path", directory);
        for key in ["ignore", "include"] {
            if let Some(patterns) = trigger.get_mut(key) {
                one_or_many(patterns);
            }
        }
        if let Some(exec) = trigger.get_mut("exec") {
            hook(exec, &format!("{at}.exec"))?;
        }
        let action = trigger["action"].as_str().unwrap_or_default();
        if action.starts_with("sync") && trigger["target"].is_null() {
            return Err(ComposeError::invalid(
                format!("{at}.watch"),
                "target is required for non-rebuild actions",
            ));
        }
        if action == "sync+exec" && trigger["exec"].is_null() {
            return Err(ComposeError::invalid(
                format!("{at}.watch"),
                "can not use \"sync+exec\" action without a command in `exec`",
            ));
        }
    }
    Ok(())
}

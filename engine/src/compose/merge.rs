//! A later file over an earlier one: the rules of the Compose specification, section "Merge".
//!
//! Mappings are merged key by key, lists are appended without repeating, single values are replaced. What is one
//! value although it is a list (a command, a health test) is replaced too; ports and mounts are the same when
//! they lead to the same place in the container.

use serde_json::Value;

/// Puts `over` on top of `base`; `key` is the name under which both stand.
pub(crate) fn merge(base: &mut Value, over: Value, key: &str) {
    match (base, over) {
        // Options mean nothing to another driver.
        (Value::Object(base), Value::Object(over))
            if key == "logging"
                && over.get("driver").is_some_and(|driver| {
                    base.get("driver").is_some_and(|below| below != driver)
                }) =>
        {
            *base = over;
        }
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(below) => merge(below, value, &key),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(over)) if !is_one_value(key) => {
            for item in over {
                let same = |below: &Value| match identity(key, &item) {
                    Some(identity) => self::identity(key, below).as_ref() == Some(&identity),
                    None => *below == item,
                };
                match base.iter_mut().find(|below| same(below)) {
                    Some(below) => *below = item,
                    None => base.push(item),
                }
            }
        }
        // A mapping that the later file leaves empty keeps what it has.
        (Value::Object(_) | Value::Array(_), Value::Null) => {}
        (base, over) => *base = over,
    }
}

/// Lists that mean something only as a whole.
fn is_one_value(key: &str) -> bool {
    matches!(key, "command" | "entrypoint" | "test")
}

/// What makes two entries of a list the same thing.
fn identity(key: &str, item: &Value) -> Option<String> {
    let text = |name: &str| match &item[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match key {
        "volumes" if item.is_object() => Some(text("target")),
        "ports" if item.is_object() => Some(format!(
            "{}:{}:{}/{}",
            text("host_ip"),
            text("published"),
            text("target"),
            text("protocol")
        )),
        "configs" | "secrets" if item.is_object() => {
            let target = text("target");
            Some(if target.is_empty() {
                text("source")
            } else {
                target
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(base: Value, over: Value, expected: Value) {
        let mut merged = base;
        merge(&mut merged, over, "web");
        assert_eq!(merged, expected);
    }

    #[test]
    fn mappings_merge_lists_grow_values_change() {
        check(
            json!({ "image": "a", "environment": { "A": "1", "B": "2" }, "dns": ["1"] }),
            json!({ "image": "b", "environment": { "B": "3", "C": "4" }, "dns": ["1", "2"] }),
            json!({ "image": "b", "environment": { "A": "1", "B": "3", "C": "4" }, "dns": ["1", "2"] }),
        );
    }

    #[test]
    fn options_of_another_log_driver_are_forgotten() {
        check(
            json!({ "logging": { "driver": "json-file", "options": { "max-size": "1m" } } }),
            json!({ "logging": { "driver": "syslog", "options": { "tag": "x" } } }),
            json!({ "logging": { "driver": "syslog", "options": { "tag": "x" } } }),
        );
    }

    #[test]
    fn a_command_is_replaced_whole() {
        check(
            json!({ "command": ["a", "b"], "healthcheck": { "test": ["CMD", "x"], "retries": 2 } }),
            json!({ "command": ["c"], "healthcheck": { "test": ["CMD", "y"] } }),
            json!({ "command": ["c"], "healthcheck": { "test": ["CMD", "y"], "retries": 2 } }),
        );
    }

    #[test]
    fn a_mount_is_known_by_its_target() {
        check(
            json!({ "volumes": [{ "source": "a", "target": "/x" }, { "source": "b", "target": "/y" }] }),
            json!({ "volumes": [{ "source": "c", "target": "/x" }] }),
            json!({ "volumes": [{ "source": "c", "target": "/x" }, { "source": "b", "target": "/y" }] }),
        );
    }
}

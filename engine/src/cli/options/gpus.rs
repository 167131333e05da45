//! `--gpus`: which processing units of which driver a container asks for.

use serde_json::{Map, Value, json};

use super::words;

/// Reads `all`, `2` or `driver=nvidia,"device=0,1",capabilities=compute`.
pub(crate) fn parse(word: &str) -> Result<Value, String> {
    let mut request = Map::from_iter([
        ("Driver".to_owned(), Value::from("")),
        ("Count".to_owned(), Value::from(1)),
    ]);
    let mut capabilities = Vec::new();
    let mut seen = Vec::new();
    for field in words::fields(word) {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => ("count".to_owned(), field.clone()),
        };
        if seen.contains(&key) {
            return Err(format!(
                "gpu request key '{key}' can be specified only once"
            ));
        }
        match key.as_str() {
            "driver" => drop(request.insert("Driver".into(), value.into())),
            "count" if value == "all" => drop(request.insert("Count".into(), (-1).into())),
            "count" => {
                let count: i64 = value.parse().map_err(|_| {
                    format!(
                        "invalid count ({value}): value must be either \"all\" or an integer: \
                         invalid syntax"
                    )
                })?;
                request.insert("Count".into(), count.into());
            }
            "device" => {
                let ids: Vec<&str> = value.split(',').collect();
                request.insert("DeviceIDs".into(), json!(ids));
                if !seen.iter().any(|key| key == "count") {
                    request.insert("Count".into(), 0.into());
                }
            }
            "capabilities" => {
                capabilities = value.split(',').map(str::to_owned).collect();
                capabilities.push("gpu".to_owned());
            }
            "options" => {
                let options = words::map(&words::fields(&value));
                request.insert("Options".into(), json!(options));
            }
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
        seen.push(key);
    }
    if capabilities.is_empty() {
        capabilities.push("gpu".to_owned());
    }
    request.insert("Capabilities".into(), json!([capabilities]));
    Ok(request.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        let parse = |word| parse(word).unwrap();
        assert_eq!(
            parse("all"),
            json!({"Driver": "", "Count": -1, "Capabilities": [["gpu"]]})
        );
        assert_eq!(
            parse("\"device=0,1\",capabilities=compute"),
            json!({"Driver": "", "Count": 0, "DeviceIDs": ["0", "1"],
                   "Capabilities": [["compute", "gpu"]]})
        );
        assert!(
            super::parse("x=1")
                .unwrap_err()
                .contains("unexpected key 'x'")
        );
    }
}

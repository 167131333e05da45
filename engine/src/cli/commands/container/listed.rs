//! One container of the API's list, read without what no table shows.
//!
//! Most of a long list is how each container is connected. Of that only the networks' names are shown: the rest is
//! passed over instead of being made into documents.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};

/// A container, as far as lists show it.
#[derive(Debug)]
pub(super) struct Listed(pub(super) Value);

#[derive(Deserialize)]
struct NetworkSettings {
    /// By name; sorted, as the engine sends them.
    #[serde(rename = "Networks", default)]
    networks: Option<BTreeMap<String, IgnoredAny>>,
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Listed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a container")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listed, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = match key.as_str() {
                "HostConfig" => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                "NetworkSettings" => {
                    let settings: Option<NetworkSettings> = map.next_value()?;
                    let networks = settings.and_then(|settings| settings.networks);
                    let names = networks
                        .into_iter()
                        .flatten()
                        .map(|(name, _)| (name, Value::Null));
                    json!({ "Networks": names.collect::<Map<_, _>>() })
                }
                _ => map.next_value()?,
            };
            fields.insert(key, value);
        }
        Ok(Listed(Value::Object(fields)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_networks_the_names_are_left() {
        let text = r#"{"Id":"1","HostConfig":{"NetworkMode":"a"},"Names":["/n"],
            "NetworkSettings":{"Networks":{"a":{"IPAddress":"10.0.0.2"},"b":null}}}"#;
        let Listed(read) = serde_json::from_str(text).unwrap();
        let networks = json!({ "Networks": { "a": null, "b": null } });
        let expected = json!({ "Id": "1", "Names": ["/n"], "NetworkSettings": networks });
        assert_eq!(read, expected);
        for nothing in [
            r#"{"NetworkSettings":null}"#,
            r#"{"NetworkSettings":{"Networks":null}}"#,
        ] {
            let Listed(read) = serde_json::from_str(nothing).unwrap();
            assert_eq!(read["NetworkSettings"]["Networks"], json!({}));
        }
    }
}

//! The bodies of the gateway: 64-bit numbers are text, bytes are base64, and what is zero is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

/// A key with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct KeyValue {
    /// The key; ours are all text.
    #[serde(deserialize_with = "text")]
    pub key: String,
    /// Its value.
    #[serde(deserialize_with = "bytes")]
    pub value: Vec<u8>,
    /// The revision of its last change.
    #[serde(deserialize_with = "number")]
    pub mod_revision: i64,
    /// The lease it ends with; 0 for none.
    #[serde(deserialize_with = "number")]
    pub lease: i64,
}

/// The head of every answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    #[serde(deserialize_with = "number")]
    pub(super) revision: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RangeAnswer {
    pub(super) header: Header,
    pub(super) kvs: Vec<KeyValue>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TransactionAnswer {
    pub(super) header: Header,
    pub(super) succeeded: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LeaseAnswer {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub(super) id: i64,
    #[serde(rename = "TTL", deserialize_with = "number")]
    pub(super) ttl: i64,
}

/// A line of a stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Line<T> {
    pub(super) result: Option<T>,
    pub(super) error: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WatchAnswer {
    pub(super) created: bool,
    pub(super) canceled: bool,
    pub(super) events: Vec<WireEvent>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireEvent {
    /// `PUT`, which is left out, or `DELETE`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) kv: KeyValue,
}

/// A refusal.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) error: String,
}

/// Bytes as the gateway wants them.
pub(super) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The end of the range of all keys that begin so: etcd's rule, the last byte plus one.
pub(super) fn end_of(prefix: &str) -> String {
    let mut bytes = prefix.as_bytes().to_vec();
    // Our keys are ASCII: no last byte is 0xff.
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    encoded(bytes)
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(i64),
    }
    match Either::deserialize(from)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::from_utf8(bytes(from)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_etcd_writes_them() {
        let line = r#"{"header":{"revision":"3"},"kvs":[{"key":"YS94","mod_revision":"2","value":"dg=="}]}"#;
        let answer: RangeAnswer = serde_json::from_str(line).unwrap();
        assert_eq!(answer.header.revision, 3);
        let [only] = answer.kvs.as_slice() else {
            panic!("one key")
        };
        assert_eq!(
            (only.key.as_str(), only.value.as_slice()),
            ("a/x", &b"v"[..])
        );
        assert_eq!((only.mod_revision, only.lease), (2, 0));
        assert_eq!(end_of("a/"), encoded("a0"));
    }
}

//! Request and response bodies of the Docker Engine API.
//!
//! These are the words spoken on the socket, in Docker's own spelling. Both ends use them: the daemon's routes and
//! the command line. A field that a request may leave out has a default; [`from_json`] also accepts the `null` that
//! Go programs write for an empty list. Nothing here decides anything.

mod container;
mod exec;
mod host_config;
mod image;
mod network;
mod progress;
mod system;
mod volume;

pub use container::*;
pub use exec::*;
pub use host_config::*;
pub use image::*;
pub use network::*;
pub use progress::*;
pub use system::*;
pub use volume::*;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a body in which `null` means "left out", as Go's encoder writes empty lists and maps.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    from_value(serde_json::from_slice(bytes)?)
}

/// The same of a document that was read already.
pub fn from_value<T: DeserializeOwned>(mut value: Value) -> Result<T, serde_json::Error> {
    drop_nulls(&mut value);
    serde_json::from_value(value)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Go writes a list that was never made as `null`.
fn null_when_empty<S: serde::Serializer>(list: &[String], output: S) -> Result<S::Ok, S::Error> {
    if list.is_empty() {
        output.serialize_none()
    } else {
        output.collect_seq(list)
    }
}

fn empty_when_null<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    serde::Deserialize::deserialize(input).map(Option::unwrap_or_default)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A JSON object that is used as a set: `{"80/tcp": {}}`.
pub type JsonSet = std::collections::BTreeMap<String, Empty>;

/// The value of a [`JsonSet`] entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Empty {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_lists_are_empty_lists() {
        let body = br#"{"Image":"busybox","Cmd":null,"HostConfig":{"Binds":null,"PortBindings":{"80/tcp":null}}}"#;
        let request: CreateContainer = from_json(body).unwrap();
        assert_eq!(request.config.image, "busybox");
        assert_eq!(request.config.cmd, None);
        assert!(request.host_config.binds.is_empty());
    }

    #[test]
    fn a_command_may_be_a_string_or_a_list() {
        let one: CreateContainer = from_json(br#"{"Cmd":"ls"}"#).unwrap();
        let two: CreateContainer = from_json(br#"{"Cmd":["ls"]}"#).unwrap();
        assert_eq!(one.config.cmd, two.config.cmd);
    }

    #[test]
    fn fields_nobody_knows_are_passed_over() {
        let request: CreateContainer =
            from_json(br#"{"Image":"x","Later":1,"HostConfig":{"Later":{"a":[1]}}}"#).unwrap();
        assert_eq!(request.config.image, "x");
    }

    #[test]
    fn an_empty_list_of_binds_is_null() {
        let json = serde_json::to_value(HostConfig::default()).unwrap();
        assert!(json["Binds"].is_null());
        assert!(json["BlkioDeviceReadIOps"].is_null());
    }
}

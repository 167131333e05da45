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
    let mut value: Value = serde_json::from_slice(bytes)?;
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
    fn fields_nobody_knows_are_kept_to_be_refused() {
        let request: CreateContainer =
            from_json(br#"{"HostConfig":{"DeviceRequests":[{"Count":1}]}}"#).unwrap();
        assert!(request.host_config.rest.contains_key("DeviceRequests"));
    }
}

//! The ports of a container in a list.

use serde::Deserialize;
use serde_json::Value;

use crate::cli::text::Text;

/// A port that a container exposes or publishes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Port<'a> {
    private_port: Option<u64>,
    #[serde(borrow, rename = "IP")]
    ip: Text<'a>,
    public_port: Option<u64>,
    #[serde(borrow, rename = "Type")]
    protocol: Option<Text<'a>>,
}

/// The ports of a document.
pub(super) fn read(ports: &Value) -> Result<Vec<Port<'_>>, serde_json::Error> {
    Option::<Vec<Port<'_>>>::deserialize(ports).map(Option::unwrap_or_default)
}

/// The ports of a container; neighbours that are published alike are joined in a range.
pub(super) fn shown(ports: &[Port<'_>]) -> String {
    let mut ports: Vec<Sorted<'_>> = ports.iter().map(Sorted::of).collect();
    ports.sort();
    let mut groups: Vec<(String, u64, u64)> = Vec::new();
    let (mut done, mut moved) = (Vec::new(), Vec::new());
    for port in &ports {
        let mut key = port.protocol.to_owned();
        if !port.ip.is_empty() {
            if port.public != port.private {
                moved.push(format!(
                    "{}:{}->{}/{}",
                    host(port.ip),
                    port.public,
                    port.private,
                    port.protocol
                ));
                continue;
            }
            key = format!("{}/{}", port.ip, port.protocol);
        }
        match groups.iter_mut().find(|group| group.0 == key) {
            None => groups.push((key, port.private, port.private)),
            Some(group) if port.private == group.2 + 1 => group.2 = port.private,
            Some(group) => {
                done.push(range(group));
                (group.1, group.2) = (port.private, port.private);
            }
        }
    }
    done.extend(groups.iter().map(range));
    done.extend(moved);
    done.join(", ")
}

/// In the order in which ports are shown.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Sorted<'a> {
    private: u64,
    ip: &'a str,
    public: u64,
    protocol: &'a str,
}

impl<'a> Sorted<'a> {
    fn of(port: &'a Port<'_>) -> Self {
        Self {
            private: port.private_port.unwrap_or_default(),
            ip: &port.ip,
            public: port.public_port.unwrap_or_default(),
            protocol: port.protocol.as_deref().unwrap_or("tcp"),
        }
    }
}

fn host(ip: &str) -> String {
    if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.to_owned()
    }
}

fn range((key, first, last): &(String, u64, u64)) -> String {
    let range = if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    };
    match key.split_once('/') {
        None => format!("{range}/{key}"),
        Some((ip, protocol)) => format!("{}:{range}->{range}/{protocol}", host(ip)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn ports(ports: Value, expected: &str) {
        assert_eq!(shown(&read(&ports).unwrap()), expected);
    }

    #[test]
    fn ports_are_grouped() {
        ports(Value::Null, "");
        ports(json!([{"PrivatePort": 80, "Type": "tcp"}]), "80/tcp");
        ports(
            json!([{"PrivatePort": 81, "Type": "tcp"}, {"PrivatePort": 80, "Type": "tcp"}]),
            "80-81/tcp",
        );
        ports(
            json!([
                {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            ]),
            "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
        );
        ports(
            json!([{"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"}]),
            "127.0.0.1:53->53/udp",
        );
    }
}

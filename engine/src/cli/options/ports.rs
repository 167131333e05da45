//! `-p` and `--expose`: which ports of the container are published, and where.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::super::error::CliError;

/// `ExposedPorts` and `PortBindings` of the API's create body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// `80/tcp` for every port that is exposed or published.
    pub(crate) exposed: Vec<String>,
    /// `80/tcp` → the host's addresses and ports.
    pub(crate) bindings: BTreeMap<String, Vec<(String, String)>>,
}

impl Published {
    /// Reads every `-p` and `--expose`.
    pub(crate) fn parse(publish: &[String], expose: &[String]) -> Result<Self, CliError> {
        let mut published = Self::default();
        for word in publish {
            published.publish(word)?;
        }
        for word in expose {
            let (ports, protocol) = protocol(word)?;
            let range = range(ports).ok_or_else(|| {
                CliError::Said(format!(
                    "invalid range format for --expose: {word}, error: strconv.ParseUint: \
                     parsing {ports:?}: invalid syntax"
                ))
            })?;
            for port in range {
                published.expose(format!("{port}/{protocol}"));
            }
        }
        Ok(published)
    }

    /// `{"80/tcp": {}}`
    pub(crate) fn exposed_body(&self) -> Value {
        self.exposed
            .iter()
            .map(|port| (port.clone(), json!({})))
            .collect()
    }

    /// `{"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}`
    pub(crate) fn bindings_body(&self) -> Value {
        let entry = |(port, hosts): (&String, &Vec<(String, String)>)| {
            let hosts: Vec<Value> = hosts
                .iter()
                .map(|(ip, port)| json!({ "HostIp": ip, "HostPort": port }))
                .collect();
            (port.clone(), Value::Array(hosts))
        };
        self.bindings.iter().map(entry).collect()
    }

    fn expose(&mut self, port: String) {
        if !self.exposed.contains(&port) {
            self.exposed.push(port);
        }
    }

    /// `[[ip:]host-port:]container-port[/protocol]`, ports possibly ranges.
    fn publish(&mut self, word: &str) -> Result<(), CliError> {
        let (ports, protocol) = protocol(word)?;
        let (front, inside) = match ports.rsplit_once(':') {
            Some((front, inside)) => (front, inside),
            None => ("", ports),
        };
        let (ip, outside) = match front.strip_prefix('[') {
            Some(v6) => v6
                .split_once("]:")
                .unwrap_or((v6.trim_end_matches(']'), "")),
            None => front.rsplit_once(':').unwrap_or(("", front)),
        };
        if inside.is_empty() {
            return Err(CliError::Said(format!("no port specified: {word}<empty>")));
        }
        if !ip.is_empty() && ip.parse::<std::net::IpAddr>().is_err() {
            return Err(CliError::Said(format!("invalid IP address: {ip}")));
        }
        let inside_range = range(inside)
            .ok_or_else(|| CliError::Said(format!("invalid containerPort: {inside}")))?;
        if outside.is_empty() {
            for port in inside_range {
                self.bind(port, protocol, ip, String::new());
            }
            return Ok(());
        }
        let outside_range =
            range(outside).ok_or_else(|| CliError::Said(format!("invalid hostPort: {outside}")))?;
        match (inside_range.clone().count(), outside_range.clone().count()) {
            (inside, outside) if inside == outside => {
                for (port, host) in inside_range.zip(outside_range) {
                    self.bind(port, protocol, ip, host.to_string());
                }
            }
            // One port of the container, any free one of the host's range.
            (1, _) => self.bind(*inside_range.start(), protocol, ip, outside.to_owned()),
            _ => {
                return Err(CliError::Said(format!(
                    "invalid ranges specified for container and host Ports: {inside} and {outside}"
                )));
            }
        }
        Ok(())
    }

    fn bind(&mut self, port: u16, protocol: &str, ip: &str, host: String) {
        let port = format!("{port}/{protocol}");
        self.expose(port.clone());
        self.bindings
            .entry(port)
            .or_default()
            .push((ip.to_owned(), host));
    }
}

fn protocol(word: &str) -> Result<(&str, &str), CliError> {
    match word.split_once('/') {
        None => Ok((word, "tcp")),
        Some((ports, protocol @ ("tcp" | "udp" | "sctp"))) => Ok((ports, protocol)),
        Some((_, protocol)) => Err(CliError::Said(format!("invalid proto: {protocol}"))),
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, bindings: Value) {
        let published = Published::parse(&[word.to_owned()], &[]).unwrap();
        assert_eq!(published.bindings_body(), bindings, "{word}");
    }

    #[test]
    fn every_form_of_a_publication() {
        check("80", json!({"80/tcp": [{"HostIp": "", "HostPort": ""}]}));
        check(
            "8080:80",
            json!({"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}),
        );
        check(
            "127.0.0.1:53:53/udp",
            json!({"53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}]}),
        );
        check(
            "127.0.0.1::80",
            json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}),
        );
        check(
            "[::1]:8080:80",
            json!({"80/tcp": [{"HostIp": "::1", "HostPort": "8080"}]}),
        );
        check(
            "9000-9001:80-81",
            json!({
                "80/tcp": [{"HostIp": "", "HostPort": "9000"}],
                "81/tcp": [{"HostIp": "", "HostPort": "9001"}],
            }),
        );
        check(
            "9000-9010:80",
            json!({"80/tcp": [{"HostIp": "", "HostPort": "9000-9010"}]}),
        );
    }

    #[track_caller]
    fn refused(word: &str, message: &str) {
        let error = Published::parse(&[word.to_owned()], &[]).unwrap_err();
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn nonsense_is_refused() {
        refused("abc", "invalid containerPort: abc");
        refused("x:80", "invalid hostPort: x");
        refused("80/icmp", "invalid proto: icmp");
        refused("1.2.3:80:80", "invalid IP address: 1.2.3");
    }
}

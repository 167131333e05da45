//! Published ports: `[[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]`, each part a port or a range.

use serde_json::{Value, json};

use super::plain;
use crate::compose::error::ComposeError;

/// Every entry becomes `{target, published, host_ip, protocol}`, one for each port.
pub(super) fn normalize(value: &mut Value, at: &str) -> Result<(), ComposeError> {
    let Value::Array(entries) = value else {
        return Err(ComposeError::invalid(at, "must be a list"));
    };
    let mut long = Vec::new();
    for entry in entries.iter() {
        match entry {
            Value::Object(members) => {
                let mut members = members.clone();
                members.retain(|key, _| !key.starts_with("x-"));
                if let Some(published) = members.get_mut("published") {
                    *published = json!(plain(published).unwrap_or_default());
                }
                members.entry("protocol").or_insert_with(|| json!("tcp"));
                long.push(Value::Object(members));
            }
            other => {
                let text =
                    plain(other).ok_or_else(|| ComposeError::invalid(at, "must hold ports"))?;
                long.extend(parse(&text).map_err(|why| ComposeError::invalid(at, why))?);
            }
        }
    }
    *value = long.into();
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Value>, String> {
    let invalid = |why: &str| format!("invalid port \"{text}\": {why}");
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if !matches!(protocol, "tcp" | "udp" | "sctp") {
        return Err(invalid("the protocol must be tcp, udp or sctp"));
    }
    let (rest, target) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (address, published) = match rest.rsplit_once(':') {
        Some((address, published)) => (address.trim_matches(['[', ']']), published),
        None => ("", rest),
    };
    let targets = range(target).ok_or_else(|| invalid("the container's port is no number"))?;
    let count = targets.1 - targets.0;
    let published = match published {
        "" => None,
        text => Some(range(text).ok_or_else(|| invalid("the host's port is no number"))?),
    };
    if let Some((first, last)) = published
        && last - first != count
        && count != 0
    {
        return Err(invalid("the two ranges differ in length"));
    }
    Ok((0..=count)
        .map(|offset| {
            let mut port = json!({ "target": targets.0 + offset, "protocol": protocol });
            if let Some((first, last)) = published {
                let published = match count {
                    0 if last > first => format!("{first}-{last}"),
                    _ => (first + offset).to_string(),
                };
                port["published"] = json!(published);
            }
            if !address.is_empty() {
                port["host_ip"] = json!(address);
            }
            port
        })
        .collect())
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = (first.parse().ok()?, last.parse().ok()?);
    (range.0 <= range.1 && range.0 > 0).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Value) {
        assert_eq!(json!(parse(text).unwrap()), expected, "{text}");
    }

    #[test]
    fn every_form_is_understood() {
        check("80", json!([{ "target": 80, "protocol": "tcp" }]));
        check(
            "8080:80/udp",
            json!([{ "target": 80, "protocol": "udp", "published": "8080" }]),
        );
        check(
            "127.0.0.1:8080:80",
            json!([{ "target": 80, "protocol": "tcp", "published": "8080", "host_ip": "127.0.0.1" }]),
        );
        check(
            "[::1]::80",
            json!([{ "target": 80, "protocol": "tcp", "host_ip": "::1" }]),
        );
        check(
            "90-91:80-81",
            json!([
                { "target": 80, "protocol": "tcp", "published": "90" },
                { "target": 81, "protocol": "tcp", "published": "91" },
            ]),
        );
        check(
            "9000-9010:80",
            json!([{ "target": 80, "protocol": "tcp", "published": "9000-9010" }]),
        );
        assert!(parse("90-92:80-81").is_err());
        assert!(parse("web:80").is_err());
        assert!(parse("80/icmp").is_err());
    }
}

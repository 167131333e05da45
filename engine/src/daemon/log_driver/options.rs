//! What `create` refuses, in Docker's words.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::daemon::DaemonError;
use crate::daemon::size;
use crate::logs::syslog;

pub(super) type Options = BTreeMap<String, String>;

/// Options of every driver.
const COMMON: [&str; 2] = ["mode", "max-buffer-size"];
/// Options of the readable copy, for drivers that cannot be read themselves.
const CACHE: [&str; 4] = [
    "cache-disabled",
    "cache-max-size",
    "cache-max-file",
    "cache-compress",
];
/// What chooses the attributes of a message.
const ATTRIBUTES: [&str; 5] = ["labels", "labels-regex", "env", "env-regex", "tag"];

fn invalid(text: impl Into<String>) -> DaemonError {
    DaemonError::Invalid(text.into())
}

/// Refuses an unknown driver, unknown options, and values that make no sense.
pub(crate) fn check(driver: &str, options: &Options) -> Result<(), DaemonError> {
    if driver == "none" {
        return Ok(());
    }
    if !super::DRIVERS.contains(&driver) {
        return Err(invalid(format!(
            "error looking up logging plugin {driver}: plugin \"{driver}\" not found"
        )));
    }
    check_mode(options)?;
    let own = |key: &&String| !COMMON.contains(&key.as_str()) && !CACHE.contains(&key.as_str());
    for key in options.keys().filter(own) {
        if !known(driver, key) {
            return Err(invalid(match driver {
                "local" => format!("unknown log opt '{key}' for log driver local"),
                _ => format!("unknown log opt '{key}' for {driver} log driver"),
            }));
        }
    }
    match driver {
        "syslog" => check_syslog(options),
        "gelf" => check_gelf(options),
        _ => Ok(()),
    }
}

fn check_mode(options: &Options) -> Result<(), DaemonError> {
    let mode = options.get("mode").map(String::as_str);
    if !matches!(mode, None | Some("" | "blocking" | "non-blocking")) {
        let mode = mode.unwrap_or_default();
        return Err(invalid(format!(
            "logger: logging mode not supported: {mode}"
        )));
    }
    if let Some(text) = options.get("max-buffer-size") {
        if mode != Some("non-blocking") {
            let text = "logger: max-buffer-size option is only supported with 'mode=non-blocking'";
            return Err(invalid(text));
        }
        if let Err(error) = size::binary(text) {
            return Err(invalid(format!(
                "error parsing option max-buffer-size: {error}"
            )));
        }
    }
    Ok(())
}

fn known(driver: &str, key: &str) -> bool {
    let own: &[&str] = match driver {
        "json-file" | "local" => &["max-size", "max-file", "compress"],
        "syslog" => &[
            "syslog-address",
            "syslog-facility",
            "syslog-format",
            "syslog-tls-ca-cert",
            "syslog-tls-cert",
            "syslog-tls-key",
            "syslog-tls-skip-verify",
        ],
        "gelf" => &[
            "gelf-address",
            "gelf-compression-type",
            "gelf-compression-level",
            "gelf-tcp-max-reconnect",
            "gelf-tcp-reconnect-delay",
        ],
        _ => &[],
    };
    own.contains(&key) || (driver != "local" && ATTRIBUTES.contains(&key))
}

fn check_syslog(options: &Options) -> Result<(), DaemonError> {
    if let Some(address) = options.get("syslog-address") {
        Address::parse_syslog(address)?;
    }
    let facility = options.get("syslog-facility").map_or("", String::as_str);
    if syslog::facility(facility).is_none() {
        return Err(invalid("invalid syslog facility"));
    }
    match options.get("syslog-format").map(String::as_str) {
        None | Some("" | "rfc3164" | "rfc5424" | "rfc5424micro") => Ok(()),
        Some(_) => Err(invalid("Invalid syslog format")),
    }
}

fn check_gelf(options: &Options) -> Result<(), DaemonError> {
    let address = Address::parse_gelf(options.get("gelf-address").map(String::as_str))?;
    for (key, value) in options {
        let unknown = || {
            invalid(format!(
                "unknown value \"{value}\" for log opt \"{key}\" for gelf log driver"
            ))
        };
        match key.as_str() {
            "gelf-compression-type" | "gelf-compression-level" if address.scheme != "udp" => {
                return Err(invalid("compression is only supported on UDP"));
            }
            "gelf-compression-type" if !matches!(value.as_str(), "gzip" | "zlib" | "none") => {
                return Err(unknown());
            }
            "gelf-compression-level"
                if !value.parse().is_ok_and(|level| (-1..=9).contains(&level)) =>
            {
                return Err(unknown());
            }
            "gelf-tcp-max-reconnect" | "gelf-tcp-reconnect-delay" if address.scheme != "tcp" => {
                return Err(invalid(format!("\"{key}\" is only valid for TCP")));
            }
            "gelf-tcp-max-reconnect" | "gelf-tcp-reconnect-delay"
                if value.parse::<u32>().is_err() =>
            {
                return Err(unknown());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the readable copy is not wanted.
pub(super) fn is_cache_disabled(options: &Options) -> bool {
    options
        .get("cache-disabled")
        .is_some_and(|text| super::plan::boolean(text).unwrap_or(false))
}

/// The address of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `udp`, `tcp`, `unix` or `unixgram`.
    pub(super) scheme: String,
    /// A path, or host and port.
    pub(super) rest: String,
}

impl Address {
    pub(super) fn parse_syslog(text: &str) -> Result<Self, DaemonError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        match scheme {
            "unix" | "unixgram" => Ok(Self {
                scheme: scheme.to_owned(),
                rest: rest.to_owned(),
            }),
            "udp" | "tcp" | "tcp+tls" => Ok(Self {
                scheme: scheme.to_owned(),
                rest: if has_port(rest) {
                    rest.to_owned()
                } else {
                    format!("{rest}:514")
                },
            }),
            _ => Err(invalid(format!("unsupported scheme: '{scheme}'"))),
        }
    }

    pub(super) fn parse_gelf(text: Option<&str>) -> Result<Self, DaemonError> {
        let text = text
            .filter(|text| !text.is_empty())
            .ok_or_else(|| invalid("gelf-address is a required parameter"))?;
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        if !matches!(scheme, "udp" | "tcp") {
            return Err(invalid("gelf: endpoint needs to be TCP or UDP"));
        }
        if !has_port(rest) {
            return Err(invalid(
                "gelf: please provide gelf-address as proto://host:port",
            ));
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            rest: rest.to_owned(),
        })
    }

    /// The host, without brackets and port.
    pub(super) fn host(&self) -> &str {
        let host = self
            .rest
            .rsplit_once(':')
            .map_or(&*self.rest, |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The socket address; `hosts` is the text of the stage's `/etc/hosts`.
    pub(super) fn resolve(&self, hosts: &str) -> Result<SocketAddr, DaemonError> {
        if let Ok(address) = self.rest.parse() {
            return Ok(address);
        }
        let unknown = || {
            DaemonError::Start(format!(
                "failed to initialize logging driver: dial {}: lookup {}: no such host",
                self.scheme, self.rest
            ))
        };
        let (host, port) = self.rest.rsplit_once(':').ok_or_else(unknown)?;
        let port: u16 = port.parse().map_err(|_| unknown())?;
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok((ip, port).into());
        }
        let named = hosts.lines().find_map(|line| {
            let line = line.split('#').next()?;
            let mut words = line.split_whitespace();
            let ip = words.next()?.parse::<IpAddr>().ok()?;
            words.any(|name| name == host).then_some(ip)
        });
        match (named, host) {
            (Some(ip), _) => Ok((ip, port).into()),
            (None, "localhost") => Ok(([127, 0, 0, 1], port).into()),
            _ => Err(unknown()),
        }
    }
}

fn has_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(driver: &str, options: &[(&str, &str)], words: &str) {
        let options = options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(check(driver, &options).unwrap_err().to_string(), words);
    }

    #[test]
    fn bad_options_are_refused_in_dockers_words() {
        refused(
            "json-file",
            &[("foo", "b")],
            "unknown log opt 'foo' for json-file log driver",
        );
        refused(
            "local",
            &[("foo", "b")],
            "unknown log opt 'foo' for log driver local",
        );
        refused(
            "journald",
            &[("zz", "1")],
            "unknown log opt 'zz' for journald log driver",
        );
        refused(
            "nosuch",
            &[],
            "error looking up logging plugin nosuch: plugin \"nosuch\" not found",
        );
        refused(
            "syslog",
            &[("syslog-address", "foo")],
            "unsupported scheme: ''",
        );
        refused(
            "syslog",
            &[("syslog-address", "http://x")],
            "unsupported scheme: 'http'",
        );
        refused(
            "syslog",
            &[("syslog-facility", "zzz")],
            "invalid syslog facility",
        );
        refused(
            "syslog",
            &[("syslog-format", "zzz")],
            "Invalid syslog format",
        );
        refused("gelf", &[], "gelf-address is a required parameter");
        refused(
            "gelf",
            &[("gelf-address", "udp://x")],
            "gelf: please provide gelf-address as proto://host:port",
        );
        refused(
            "gelf",
            &[("gelf-address", "http://127.0.0.1:1")],
            "gelf: endpoint needs to be TCP or UDP",
        );
        refused(
            "gelf",
            &[
                ("gelf-address", "udp://127.0.0.1:1"),
                ("gelf-compression-level", "99"),
            ],
            "unknown value \"99\" for log opt \"gelf-compression-level\" for gelf log driver",
        );
        refused(
            "json-file",
            &[("mode", "zzz")],
            "logger: logging mode not supported: zzz",
        );
        refused(
            "json-file",
            &[("mode", "non-blocking"), ("max-buffer-size", "x")],
            "error parsing option max-buffer-size: invalid size: 'x'",
        );
        refused(
            "json-file",
            &[("max-buffer-size", "1m")],
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        );
    }

    #[test]
    fn names_are_looked_up_in_hosts() {
        let address = |text: &str| Address::parse_syslog(text).unwrap();
        let hosts = "127.0.0.1 localhost\n10.0.0.7 logs logs.local # here\n";
        let resolved = |text: &str| address(text).resolve(hosts).map(|found| found.to_string());
        assert_eq!(resolved("udp://logs.local").unwrap(), "10.0.0.7:514");
        assert_eq!(resolved("tcp://localhost:601").unwrap(), "127.0.0.1:601");
        assert_eq!(resolved("tcp://[::1]:601").unwrap(), "[::1]:601");
        assert!(resolved("udp://elsewhere").is_err());
    }
}

//! The `syslog` driver: RFC 3164 and RFC 5424 messages.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::message::{Message, Stream};
use super::place::Place;
use super::spec::{Endpoint, Mode, SyslogFormat, SyslogSpec};
use super::wire::{Patience, Wire};

/// Sockets that syslog daemons listen on, in the order they are tried.
const LOCAL: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/// An open way to a syslog daemon.
#[derive(Debug)]
pub(super) struct Syslog {
    spec: SyslogSpec,
    pub(super) wire: Wire,
}

impl Syslog {
    pub(super) fn open(spec: &SyslogSpec, place: Place, mode: Mode) -> io::Result<Self> {
        // As Docker's client: one new connection at once, then the message is lost.
        let patience = Patience {
            tries: 1,
            pause: Duration::from_millis(100),
        };
        let open = |endpoint: &Endpoint| Wire::open(endpoint, place.clone(), mode, patience);
        let wire = match &spec.endpoint {
            Some(endpoint) => open(endpoint)?,
            None => LOCAL
                .iter()
                .find_map(|path| open(&Endpoint::Unix(PathBuf::from(path))).ok())
                .ok_or_else(|| io::Error::other("Unix syslog delivery error"))?,
        };
        Ok(Self {
            spec: spec.clone(),
            wire,
        })
    }

    pub(super) fn write(&mut self, message: &Message<'_>) {
        let mut out = encode(&self.spec, message, std::process::id());
        // A stream needs ends between messages; a line feed is what daemons expect (RFC 6587, 3.4.2).
        out.push(b'\n');
        self.wire.send(out);
    }
}

fn encode(spec: &SyslogSpec, message: &Message<'_>, pid: u32) -> Vec<u8> {
    // Severity: informational, or error for what went to standard error.
    let severity = match message.stream {
        Stream::Stdout => 6,
        Stream::Stderr => 3,
    };
    let priority = spec.facility * 8 + severity;
    let (host, tag) = (&spec.hostname, &spec.tag);
    let utc = |time: Timestamp| time.to_zoned(TimeZone::UTC);
    let head = match spec.format {
        SyslogFormat::Local => {
            let time = utc(message.time).strftime("%b %e %H:%M:%S").to_string();
            format!("<{priority}>{time} {tag}[{pid}]: ")
        }
        SyslogFormat::Rfc3164 => {
            let time = utc(message.time).strftime("%b %e %H:%M:%S").to_string();
            format!("<{priority}>{time} {host} {tag}[{pid}]: ")
        }
        SyslogFormat::Rfc5424 => {
            let time = utc(message.time).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            format!("<{priority}>1 {time} {host} {tag} {pid} {tag} - ")
        }
        SyslogFormat::Rfc5424Micro => {
            let time = utc(message.time).strftime("%Y-%m-%dT%H:%M:%S.%6fZ");
            format!("<{priority}>1 {time} {host} {tag} {pid} {tag} - ")
        }
    };
    [head.as_bytes(), message.text].concat()
}

/// The number of a facility, by name or number.
pub fn facility(text: &str) -> Option<u8> {
    const NAMES: [&str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
        "authpriv", "ftp", "", "", "", "", "local0", "local1", "local2", "local3", "local4",
        "local5", "local6", "local7",
    ];
    if text.is_empty() {
        return Some(3);
    }
    let number = match NAMES.iter().position(|name| *name == text) {
        Some(position) => u8::try_from(position).ok()?,
        None => text.parse().ok()?,
    };
    (number < 24).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::message::LineEnd;

    #[track_caller]
    fn check(format: SyslogFormat, stream: Stream, expected: &str) {
        let spec = SyslogSpec {
            endpoint: None,
            facility: 3,
            format,
            tag: "web".into(),
            hostname: "host".into(),
        };
        let message = Message {
            stream,
            time: "2026-01-02T03:04:05.678901Z".parse().unwrap(),
            text: b"hello",
            end: LineEnd::Newline,
            piece: None,
        };
        let out = encode(&spec, &message, 7);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn messages_have_the_form_of_their_rfc() {
        use SyslogFormat as F;
        check(
            F::Local,
            Stream::Stdout,
            "<30>Jan  2 03:04:05 web[7]: hello",
        );
        check(
            F::Rfc3164,
            Stream::Stderr,
            "<27>Jan  2 03:04:05 host web[7]: hello",
        );
        check(
            F::Rfc5424,
            Stream::Stdout,
            "<30>1 2026-01-02T03:04:05Z host web 7 web - hello",
        );
        check(
            F::Rfc5424Micro,
            Stream::Stdout,
            "<30>1 2026-01-02T03:04:05.678901Z host web 7 web - hello",
        );
    }

    #[test]
    fn facilities_have_names_and_numbers() {
        for (text, number) in [("", Some(3)), ("kern", Some(0)), ("local7", Some(23))] {
            assert_eq!(facility(text), number, "{text}");
        }
        assert_eq!(
            (facility("16"), facility("24"), facility("zzz")),
            (Some(16), None, None)
        );
    }
}

//! What ADD and a remote context fetch: in the network of the stage, never in that of the platform.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::build::{BuildError, Fetched};
use crate::stage::Stage;

/// How often an address may lead to another.
const REDIRECTS: usize = 10;
/// Bytes of what is fetched.
const LIMIT: u64 = 16 << 30;
/// Bytes of the head of an answer.
const HEAD_LIMIT: u64 = 64 << 10;
/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fetches an address into a file.
pub(super) fn fetch(stage: &Stage, url: &str, into: &Path) -> Result<Fetched, BuildError> {
    let work = || Ok(follow(url, into));
    crate::network::in_stage(stage, work).map_err(|error| BuildError::Host(error.to_string()))?
}

fn failed(url: &str, why: impl std::fmt::Display) -> BuildError {
    BuildError::Fetch {
        instruction: "ADD",
        message: format!("Get {url:?}: {why}"),
    }
}

/// What the kernel says, as Go writes it.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_ascii_lowercase()
}

fn follow(url: &str, into: &Path) -> Result<Fetched, BuildError> {
    let mut url = url.to_owned();
    for _ in 0..REDIRECTS {
        match get(&url, into)? {
            Answer::Done(fetched) => return Ok(fetched),
            Answer::Elsewhere(next) => {
                url = match next.split_once("://") {
                    Some(_) => next,
                    None if next.starts_with('/') => {
                        let (scheme, rest) = url.split_once("://").unwrap_or(("http", &url));
                        let host = rest.split('/').next().unwrap_or_default();
                        format!("{scheme}://{host}{next}")
                    }
                    None => format!("{}/{next}", url.rsplit_once('/').map_or("", |(dir, _)| dir)),
                };
            }
        }
    }
    Err(failed(&url, format!("stopped after {REDIRECTS} redirects")))
}

enum Answer {
    Done(Fetched),
    Elsewhere(String),
}

fn get(url: &str, into: &Path) -> Result<Answer, BuildError> {
    let Some(rest) = url.strip_prefix("http://") else {
        let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme);
        return Err(failed(
            url,
            format!("the scheme {scheme} is not supported by this builder"),
        ));
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (host, path) = match rest.find(['/', '?']) {
        Some(at) if rest[at..].starts_with('/') => (&rest[..at], rest[at..].to_owned()),
        Some(at) => (&rest[..at], format!("/{}", &rest[at..])),
        None => (rest, "/".to_owned()),
    };
    if host.is_empty() || host.contains(['@', '\r', '\n', ' ']) || path.contains(['\r', '\n', ' '])
    {
        return Err(failed(url, "invalid address"));
    }
    let address = resolve(host)
        .ok_or_else(|| failed(url, format!("dial tcp: lookup {host}: no such host")))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| {
        failed(
            url,
            format!("dial tcp {address}: connect: {}", plain(&error)),
        )
    })?;
    let fail = |error: std::io::Error| failed(url, error);
    stream.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
    let request =
        format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: quai\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(fail)?;
    let mut reader = BufReader::new(stream);
    let head = Head::read(&mut reader).map_err(fail)?;
    match head.status {
        200 => {}
        301 | 302 | 303 | 307 | 308 => {
            let next = head
                .header("location")
                .ok_or_else(|| failed(url, "a redirect without Location"))?;
            return Ok(Answer::Elsewhere(next.to_owned()));
        }
        status => return Err(failed(url, format!("failed to GET with status {status}"))),
    }
    let mut file = std::fs::File::create(into).map_err(fail)?;
    let length = head
        .header("content-length")
        .and_then(|text| text.parse::<u64>().ok());
    let count = std::io::copy(&mut reader.take(LIMIT), &mut file).map_err(fail)?;
    if length.is_some_and(|length| length != count) || count == LIMIT {
        return Err(failed(url, "unexpected EOF"));
    }
    let modified = head.header("last-modified").and_then(http_date);
    Ok(Answer::Done(Fetched {
        name: head.file_name(&path),
        modified,
    }))
}

/// An address as it is written, or a name of the machine's own `/etc/hosts`.
fn resolve(host: &str) -> Option<SocketAddr> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(':') && !port.ends_with(']') => {
            (name, port.parse().ok()?)
        }
        _ => (host, 80),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = name.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, port));
    }
    if name == "localhost" {
        return Some(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port));
    }
    None
}

struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    fn read(reader: &mut impl BufRead) -> std::io::Result<Self> {
        let mut lines = reader.take(HEAD_LIMIT);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|word| word.trim().parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other("malformed HTTP response"))?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let text = line.trim_end();
            if text.is_empty() {
                return Ok(Self { status, headers });
            }
            if let Some((name, value)) = text.split_once(':') {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn file_name(&self, path: &str) -> String {
        let given = self.header("content-disposition").and_then(|text| {
            let name = text
                .split(';')
                .find_map(|part| part.trim().strip_prefix("filename="))?;
            Some(name.trim_matches('"').to_owned())
        });
        let path = path.split('?').next().unwrap_or_default();
        let name = given.unwrap_or_else(|| path.rsplit('/').next().unwrap_or_default().to_owned());
        // A name that leads elsewhere is none.
        if name.contains('/') || matches!(name.as_str(), "." | "..") {
            String::new()
        } else {
            name
        }
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<i64> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(time.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_stay_names() {
        let head = |disposition: &str| Head {
            status: 200,
            headers: vec![("content-disposition".into(), disposition.into())],
        };
        assert_eq!(
            head("attachment; filename=\"a.txt\"").file_name("/x"),
            "a.txt"
        );
        assert_eq!(head("attachment; filename=\"../../a\"").file_name("/x"), "");
        assert_eq!(head("inline").file_name("/dir/b.tar?x=1"), "b.tar");
    }

    #[test]
    fn only_http_is_spoken() {
        let into = std::env::temp_dir().join("never-made");
        for url in [
            "file:///etc/passwd",
            "ftp://x/y",
            "http://user@127.0.0.1/x",
            "http:///x",
        ] {
            assert!(follow(url, &into).is_err(), "{url}");
        }
        assert!(!into.exists());
    }
}

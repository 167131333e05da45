//! A minimal HTTP client over a Unix socket: one request, one bounded answer.
//!
//! The engine's public API is all that is asked, as any client would. An engine that does not
//! listen has never been started: that is an answer, not an error.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// No answer is larger.
const LARGEST: u64 = 8 << 20;

/// How long a machine under load may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the engine gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Nobody listens: the engine has never been started.
    #[error("nobody listens on the engine's socket")]
    Absent,
    /// The connection broke, or the answer is late.
    #[error("cannot ask the engine for {path}")]
    Broken {
        /// What was asked.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The answer is not HTTP, not JSON or too large.
    #[error("the engine's answer to {path} cannot be understood")]
    Malformed {
        /// What was asked.
        path: String,
    },
    /// The engine refuses.
    #[error("the engine answers {status} to {path}")]
    Refused {
        /// What was asked.
        path: String,
        /// The HTTP status.
        status: u16,
    },
}

/// Asks for `path` and returns the whole body.
pub fn get(socket: &Path, path: &str) -> Result<Vec<u8>, SocketError> {
    let mut reader = BufReader::new(request(socket, path)?.take(LARGEST));
    let head = head(&mut reader, path)?;
    let body = body(&mut reader, path, head.length)?;
    if head.status == 200 {
        Ok(body)
    } else {
        let status = head.status;
        let path = path.into();
        Err(SocketError::Refused { path, status })
    }
}

/// Opens the stream of events from now on: whoever holds it is told by `poll` when to look again.
pub fn follow(socket: &Path) -> Result<UnixStream, SocketError> {
    request(socket, "/events")
}

fn request(socket: &Path, path: &str) -> Result<UnixStream, SocketError> {
    let broken = |source| SocketError::Broken {
        path: path.into(),
        source,
    };
    let mut stream = UnixStream::connect(socket).map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => SocketError::Absent,
        _ => broken(e),
    })?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(broken)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(broken)?;
    Ok(stream)
}

struct Head {
    status: u16,
    length: Length,
}

enum Length {
    Bytes(u64),
    Chunked,
    UntilClosed,
}

fn head(reader: &mut impl BufRead, path: &str) -> Result<Head, SocketError> {
    let malformed = || SocketError::Malformed { path: path.into() };
    let first = line(reader, path)?;
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
    let mut head = Head {
        status: status.ok_or_else(malformed)?,
        length: Length::UntilClosed,
    };
    loop {
        let header = line(reader, path)?;
        if header.is_empty() {
            return Ok(head);
        }
        let (name, value) = header.split_once(':').ok_or_else(malformed)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.length = Length::Bytes(value.parse().map_err(|_| malformed())?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            head.length = Length::Chunked;
        }
    }
}

fn body(reader: &mut impl BufRead, path: &str, length: Length) -> Result<Vec<u8>, SocketError> {
    let mut body = Vec::new();
    match length {
        Length::UntilClosed => append(reader, path, u64::MAX, &mut body)?,
        Length::Bytes(bytes) => exactly(reader, path, bytes, &mut body)?,
        Length::Chunked => loop {
            let size = line(reader, path)?;
            let size = size.split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size.trim(), 16)
                .map_err(|_| SocketError::Malformed { path: path.into() })?;
            if size == 0 {
                break;
            }
            exactly(reader, path, size, &mut body)?;
            line(reader, path)?;
        },
    }
    Ok(body)
}

fn exactly(
    reader: &mut impl BufRead,
    path: &str,
    bytes: u64,
    body: &mut Vec<u8>,
) -> Result<(), SocketError> {
    let before = body.len() as u64;
    append(reader, path, bytes, body)?;
    if body.len() as u64 == before.saturating_add(bytes) {
        Ok(())
    } else {
        Err(SocketError::Malformed { path: path.into() })
    }
}

fn append(
    reader: &mut impl BufRead,
    path: &str,
    limit: u64,
    body: &mut Vec<u8>,
) -> Result<(), SocketError> {
    let read = reader.take(limit).read_to_end(body);
    read.map(|_| ()).map_err(|source| SocketError::Broken {
        path: path.into(),
        source,
    })
}

fn line(reader: &mut impl BufRead, path: &str) -> Result<String, SocketError> {
    let mut line = String::new();
    reader
        .take(16 << 10)
        .read_line(&mut line)
        .map_err(|source| SocketError::Broken {
            path: path.into(),
            source,
        })?;
    let text = line
        .strip_suffix('\n')
        .ok_or_else(|| SocketError::Malformed { path: path.into() })?;
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn answer(text: &'static str) -> Result<Vec<u8>, SocketError> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("socket-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut request = BufReader::new(peer.try_clone().unwrap());
            let mut first = String::new();
            while request.read_line(&mut first).unwrap() > 2 {}
            peer.write_all(text.as_bytes()).unwrap();
            first
        });
        let body = get(&path, "/info");
        assert!(server.join().unwrap().starts_with("GET /info HTTP/1.1\r\n"));
        std::fs::remove_file(path).unwrap();
        body
    }

    #[test]
    fn the_three_ways_to_end_a_body_are_understood() {
        let plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]rest";
        assert_eq!(answer(plain).unwrap(), b"[]");
        let chunked =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n[\r\n1;x\r\n]\r\n0\r\n\r\n";
        assert_eq!(answer(chunked).unwrap(), b"[]");
        assert_eq!(answer("HTTP/1.0 200 OK\r\n\r\n[]").unwrap(), b"[]");
    }

    #[test]
    fn a_refusal_and_a_cut_answer_are_errors() {
        let refused = answer("HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n");
        assert!(matches!(
            refused,
            Err(SocketError::Refused { status: 500, .. })
        ));
        let cut = answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]");
        assert!(matches!(cut, Err(SocketError::Malformed { .. })));
    }

    #[test]
    fn nobody_listening_is_told_apart() {
        let absent = get(Path::new("/nonexistent/engine.sock"), "/info");
        assert!(matches!(absent, Err(SocketError::Absent)));
    }
}

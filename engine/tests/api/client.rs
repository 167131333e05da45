//! A client that speaks just enough HTTP, so that what is tested is the wire and not a library.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

/// A client of one engine.
#[derive(Clone)]
pub(crate) struct Client {
    socket: PathBuf,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The body as one JSON document per line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| line.len() > 1);
        lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    /// The message of an error.
    pub(crate) fn message(&self) -> String {
        self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The output in a multiplexed body: (stream, text) joined by stream.
    pub(crate) fn output(&self) -> (String, String) {
        demultiplex(&self.body)
    }
}

/// Takes the heads off; gives standard output and standard error.
pub(crate) fn demultiplex(mut body: &[u8]) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some((head, rest)) = body.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if head[0] == 2 { &mut err } else { &mut out }.extend_from_slice(&rest[..length]);
        body = &rest[length..];
    }
    (
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

impl Client {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, b"", "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.request("POST", path, &body, "Content-Type: application/json\r\n")
    }

    pub(crate) fn put(&self, path: &str, body: &[u8]) -> Answer {
        self.request("PUT", path, body, "Content-Type: application/x-tar\r\n")
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, b"", "")
    }

    /// Sends a request without a body.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Answer {
        self.request(method, path, b"", "")
    }

    /// Sends a request with a body of some kind.
    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8], kind: &str) -> Answer {
        self.request(method, path, body, &format!("Content-Type: {kind}\r\n"))
    }

    /// Sends a request that upgrades; gives the connection after the head of the answer.
    pub(crate) fn hijack(&self, path: &str) -> UnixStream {
        let mut stream = self.connect();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        stream
    }

    /// Creates a container of busybox; gives its id.
    #[track_caller]
    pub(crate) fn create(&self, name: &str, body: &Value) -> String {
        let mut body = body.clone();
        body["Image"] = "busybox".into();
        self.post("/images/create?fromImage=busybox", &Value::Null);
        let answer = self.post(&format!("/v1.44/containers/create?name={name}"), &body);
        assert_eq!(
            answer.status,
            201,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        answer.json()["Id"].as_str().unwrap().to_owned()
    }

    /// Removes every container.
    pub(crate) fn remove_all(&self) {
        for container in self
            .get("/containers/json?all=1")
            .json()
            .as_array()
            .unwrap()
        {
            let id = container["Id"].as_str().unwrap();
            let answer = self.delete(&format!("/containers/{id}?force=1&v=1"));
            // 404: it has removed itself meanwhile. 409: it is about to.
            assert!(
                matches!(answer.status, 204 | 404),
                "{id} {} cannot be removed: {} {}",
                container["State"],
                answer.status,
                answer.message()
            );
        }
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    fn request(&self, method: &str, path: &str, body: &[u8], headers: &str) -> Answer {
        let mut stream = self.connect();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n")
            .unwrap();
        // An engine that refuses a body need not read it to its end.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        if let Err(error) = stream.read_to_end(&mut bytes) {
            assert!(!bytes.is_empty(), "no answer to {method} {path}: {error}");
        }
        let split = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("an answer has a head");
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes[split + 4..].to_vec();
        let chunked = head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked");
        Answer {
            status,
            body: if chunked { dechunk(&body) } else { body },
        }
    }
}

fn dechunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body
            .windows(2)
            .position(|window| window == b"\r\n")
            .expect("a chunk has a size");
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}

//! Requests to the daemon: one connection each, over a unix socket or TCP.
//!
//! No request is spent on asking the daemon for its version: the first one is sent with the
//! newest version this client speaks, and a daemon that finds it too new says so together with
//! the version it has; the request is then repeated once with that version.

use std::cell::RefCell;
use std::io;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connect::{self, ConnectError};
use super::context::Target;
use super::error::CliError;
use super::path::Query;
use super::wire::{Stdio, Wire};

/// The newest API version this client speaks.
pub(crate) const API_VERSION: &str = "1.45";

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Speaks to one daemon.
#[derive(Debug)]
pub(crate) struct Client {
    target: Target,
    /// What every request carries because the user's settings say so.
    headers: Vec<(String, String)>,
    version: RefCell<String>,
}

/// What a request carries.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(Value),
}

impl Client {
    /// A client of the daemon at `target`; nothing is sent yet.
    pub(crate) fn new(target: Target, headers: Vec<(String, String)>) -> Self {
        let version = std::env::var("DOCKER_API_VERSION").unwrap_or_default();
        Self {
            target,
            headers,
            version: RefCell::new(if version.is_empty() {
                API_VERSION.to_owned()
            } else {
                version
            }),
        }
    }

    /// The daemon's address, as messages show it.
    pub(crate) fn host(&self) -> &str {
        &self.target.host
    }

    /// A connection to the daemon on which nothing has been said.
    pub(crate) async fn dial(&self) -> Result<connect::Stream, CliError> {
        connect::connect(&self.target)
            .await
            .map_err(|error| self.refused(error, ""))
    }

    /// The version of the API that the last request used.
    pub(crate) fn version(&self) -> String {
        self.version.borrow().clone()
    }

    /// Asks for a JSON document.
    pub(crate) async fn get(&self, query: &Query) -> Result<Value, CliError> {
        self.json(Method::GET, query, Payload::Empty).await
    }

    /// Asks for a JSON document that is read by [`parse_as`], from the bytes it came in.
    pub(crate) async fn get_bytes(&self, query: &Query) -> Result<Bytes, CliError> {
        let response = self.send(Method::GET, query, Payload::Empty).await?;
        collect(query, response).await
    }

    /// Posts a document and reads the answer's; an empty answer is `null`.
    pub(crate) async fn post(&self, query: &Query, payload: Payload) -> Result<Value, CliError> {
        self.json(Method::POST, query, payload).await
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, query: &Query) -> Result<Value, CliError> {
        self.json(Method::DELETE, query, Payload::Empty).await
    }

    async fn json(
        &self,
        method: Method,
        query: &Query,
        payload: Payload,
    ) -> Result<Value, CliError> {
        let response = self.send(method, query, payload).await?;
        let body = collect(query, response).await?;
        parse(query, &body)
    }

    /// Sends a request and returns the answer's head, its body still to be read.
    pub(crate) async fn send(
        &self,
        method: Method,
        query: &Query,
        payload: Payload,
    ) -> Result<Response<Incoming>, CliError> {
        let (kind, bytes) = match payload {
            Payload::Empty => (None, Bytes::new()),
            Payload::Json(value) => (Some("application/json"), value.to_string().into()),
        };
        for _ in 0..2 {
            let body = Full::new(bytes.clone())
                .map_err(|never| match never {})
                .boxed_unsync();
            let request = self.request(method.clone(), query, kind, body);
            match self.exchange(query, request).await {
                Err(error) if self.downgrade(&error) => {}
                answer => return answer,
            }
        }
        Err(CliError::Said(
            "the daemon refuses the API version it asked for".to_owned(),
        ))
    }

    /// Sends a request whose body is a stream, such as a tar archive.
    ///
    /// A stream cannot be repeated, so the version is settled first.
    pub(crate) async fn send_stream(
        &self,
        method: Method,
        query: &Query,
        kind: &str,
        stream: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
    ) -> Result<Response<Incoming>, CliError> {
        self.send_stream_with(method, query, kind, Vec::new(), stream)
            .await
    }

    /// Sends such a request with more headers.
    pub(crate) async fn send_stream_with(
        &self,
        method: Method,
        query: &Query,
        kind: &str,
        headers: Vec<(&'static str, String)>,
        stream: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
    ) -> Result<Response<Incoming>, CliError> {
        self.send(Method::GET, &Query::new(&["_ping"]), Payload::Empty)
            .await?;
        use futures_util::TryStreamExt;
        let body = StreamBody::new(stream.map_ok(Frame::data)).boxed_unsync();
        let mut request = self.request(method, query, Some(kind), body);
        for (name, value) in headers {
            let value = value.parse().expect("base64 is a valid header");
            request.headers_mut().insert(name, value);
        }
        self.exchange(query, request).await
    }

    /// Sends a request that turns the connection into a raw stream.
    pub(crate) async fn hijack(
        &self,
        query: &Query,
        payload: Payload,
        stdio: Stdio,
    ) -> Result<Wire, CliError> {
        let kind = matches!(payload, Payload::Json(_)).then_some("application/json");
        let bytes: Bytes = match payload {
            Payload::Empty => Bytes::new(),
            Payload::Json(value) => value.to_string().into(),
        };
        for _ in 0..2 {
            let body = Full::new(bytes.clone())
                .map_err(|never| match never {})
                .boxed_unsync();
            let mut request = self.request(Method::POST, query, kind, body);
            let headers = request.headers_mut();
            headers.insert(CONNECTION, "Upgrade".parse().expect("a valid header"));
            headers.insert(UPGRADE, "tcp".parse().expect("a valid header"));
            let response = match self.exchange(query, request).await {
                Err(error) if self.downgrade(&error) => continue,
                answer => answer?,
            };
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Err(CliError::Nonsense {
                    doing: query.as_str().to_owned(),
                    why: format!("expected an upgraded connection, got {}", response.status()),
                });
            }
            let upgraded =
                hyper::upgrade::on(response)
                    .await
                    .map_err(|source| CliError::Broken {
                        doing: query.as_str().to_owned(),
                        source,
                    })?;
            return Wire::from_upgraded(upgraded, stdio);
        }
        Err(CliError::Said(
            "the daemon refuses the API version it asked for".to_owned(),
        ))
    }

    fn request(
        &self,
        method: Method,
        query: &Query,
        kind: Option<&str>,
        body: Body,
    ) -> Request<Body> {
        let version = self.version.borrow();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/v{version}{}", query.as_str()))
            .header(HOST, "docker");
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        if let Some(auth) = query.registry_auth() {
            request = request.header("X-Registry-Auth", auth);
        }
        for (name, value) in &self.headers {
            // A header that HTTP cannot carry would make every request fail: it is left out.
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
            {
                request = request.header(name, value);
            }
        }
        request
            .body(body)
            .expect("paths are percent-encoded, so the request is well formed")
    }

    /// One request on a connection of its own; an error status becomes an error.
    async fn exchange(
        &self,
        query: &Query,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, CliError> {
        let broken = |source| CliError::Broken {
            doing: query.as_str().to_owned(),
            source,
        };
        let stream = connect::connect(&self.target)
            .await
            .map_err(|error| self.refused(error, request.uri().path()))?;
        let answer = match stream {
            connect::Stream::Unix(stream) => speak(stream, request).await,
            connect::Stream::Tcp(stream) => speak(stream, request).await,
            connect::Stream::Ssh(stream, said) => match speak(stream, request).await {
                Err(error) => {
                    if let Some(why) = connect::last_words(said).await {
                        return Err(CliError::Said(format!("error during connect: {why}")));
                    }
                    Err(error)
                }
                answer => answer,
            },
        };
        let response = answer.map_err(broken)?;
        let status = response.status();
        if status.is_success() || status.is_redirection() || status.is_informational() {
            return Ok(response);
        }
        let body = collect(query, response).await?;
        let message = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|answer| answer["message"].as_str().map(str::to_owned))
            .unwrap_or_else(|| String::from_utf8_lossy(&body).trim().to_owned());
        Err(CliError::Daemon {
            status: status.as_u16(),
            message,
        })
    }

    fn refused(&self, error: ConnectError, path: &str) -> CliError {
        let host = self.target.host.clone();
        match error {
            ConnectError::Unanswered(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                CliError::Forbidden { host }
            }
            ConnectError::Unanswered(_) => CliError::Unreachable { host },
            other => {
                let scheme = if self.target.tls.is_some() {
                    "https"
                } else {
                    "http"
                };
                let address = host
                    .split_once("://")
                    .map_or(host.as_str(), |(_, rest)| rest);
                CliError::Said(format!(
                    "error during connect: Get \"{scheme}://{address}{path}\": {other}"
                ))
            }
        }
    }

    /// Takes the daemon's own version when `error` says that ours is too new for it.
    fn downgrade(&self, error: &CliError) -> bool {
        let CliError::Daemon {
            status: 400,
            message,
        } = error
        else {
            return false;
        };
        let Some((_, theirs)) = message.split_once("Maximum supported API version is ") else {
            return false;
        };
        let changed = *self.version.borrow() != theirs;
        theirs.trim().clone_into(&mut self.version.borrow_mut());
        changed
    }
}

/// One request over a connection, to the head of its answer.
async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<Response<Incoming>, hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await
}

/// The whole body of an answer.
pub(crate) async fn collect(
    query: &Query,
    response: Response<Incoming>,
) -> Result<Bytes, CliError> {
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|source| CliError::Broken {
            doing: query.as_str().to_owned(),
            source,
        })?;
    Ok(body.to_bytes())
}

fn parse(query: &Query, body: &[u8]) -> Result<Value, CliError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    parse_as(query, body)
}

/// A document of a known form; what that does not name is passed over unread.
pub(crate) fn parse_as<'a, T: Deserialize<'a>>(
    query: &Query,
    body: &'a [u8],
) -> Result<T, CliError> {
    serde_json::from_slice(body).map_err(|error| CliError::Nonsense {
        doing: query.as_str().to_owned(),
        why: error.to_string(),
    })
}

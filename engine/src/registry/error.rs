//! Why a registry did not give or take what it was asked. Wording follows Docker where people search for it.

use std::error::Error;

use reqwest::{Method, Url};

use crate::oci::{BadDigest, BadDocument, Digest};

use super::resolver::LookupError;
use super::tls::TlsError;

/// A failure of a registry, or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The server cannot be reached, or it broke off.
    #[error("{}", failed_request(.method, .url, .source))]
    Http {
        /// What was asked.
        method: Method,
        /// Of whom.
        url: Box<Url>,
        /// Why not.
        source: reqwest::Error,
    },
    /// A request cannot be prepared.
    #[error("cannot prepare requests to {host}: {source}")]
    Client {
        /// The registry.
        host: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// The server gave an error.
    #[error("{}", .problem.message)]
    Refused {
        /// What it said.
        problem: Box<Problem>,
    },
    /// The server wants a name and password, and we have none. The wording is Docker's.
    #[error("{} \"{url}\": no basic auth credentials", go_method(.method))]
    NoCredentials {
        /// What was asked.
        method: Method,
        /// Of whom.
        url: Box<Url>,
    },
    /// The name or password is wrong. The wording is Docker's.
    #[error("Get \"{url}\": unauthorized: {message}")]
    Unauthorized {
        /// Who says so.
        url: Box<Url>,
        /// The server's sentence.
        message: String,
    },
    /// The registry counts pulls, and there were too many.
    #[error(
        "toomanyrequests: {message}: the registry {host} limits how often one address or account may pull; {}, \
         log in with `docker login`, or set `registry-mirrors` in daemon.json", wait(.retry_after)
    )]
    TooManyRequests {
        /// The registry.
        host: String,
        /// Its sentence.
        message: String,
        /// When to come back, as it says.
        retry_after: Option<String>,
    },
    /// The way to ask for a token cannot be trusted with a password.
    #[error(
        "the registry {host} wants credentials to be sent to {realm}, which is another party: refused"
    )]
    Realm {
        /// The registry.
        host: String,
        /// Where it points.
        realm: String,
    },
    /// The server asks for a proof that we do not know.
    #[error(
        "the registry {host} asks for authentication in a way that is not supported: {challenge:?}"
    )]
    Challenge {
        /// The registry.
        host: String,
        /// What it asks.
        challenge: String,
    },
    /// It sends us round in circles, or to a place it has no business with.
    #[error("the registry {host} redirects to {to}: {why}")]
    Redirect {
        /// The registry.
        host: String,
        /// Where to.
        to: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What came is not what was named. The wording is Docker's.
    #[error("{what} verification failed for digest {expected}: it has the digest {actual}")]
    Digest {
        /// `manifest`, `filesystem layer`, `config`.
        what: &'static str,
        /// The name.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// It is longer or shorter than was told.
    #[error("{digest} has {actual} bytes instead of the {expected} that its manifest tells")]
    Size {
        /// Its name.
        digest: Digest,
        /// What the manifest tells.
        expected: u64,
        /// What came.
        actual: u64,
    },
    /// A document is too large to be one.
    #[error("{url} answers with more than {limit} bytes, which no manifest or configuration has")]
    TooLarge {
        /// Which.
        url: Box<Url>,
        /// The limit.
        limit: u64,
    },
    /// The server lets us wait for too long.
    #[error(
        "{url}: the registry sent almost nothing for {seconds} seconds: given up after {attempts} attempts"
    )]
    Stalled {
        /// What was asked.
        url: Box<Url>,
        /// How long.
        seconds: u64,
        /// How often it was tried.
        attempts: u32,
    },
    /// Whoever takes what arrives has stopped.
    #[error("{digest}: the transfer was broken off")]
    Abandoned {
        /// What arrived.
        digest: Digest,
    },
    /// A document cannot be understood.
    #[error("{url}: {source}")]
    Document {
        /// Which.
        url: Box<Url>,
        /// Why.
        source: BadDocument,
    },
    /// An answer is not what the specification says.
    #[error("{url}: unexpected answer of the registry: {why}")]
    Answer {
        /// What was asked.
        url: Box<Url>,
        /// What is wrong.
        why: String,
    },
    /// A digest cannot be verified.
    #[error(transparent)]
    BadDigest(#[from] BadDigest),
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A name makes no address.
    #[error("invalid registry address {0:?}")]
    Address(String),
    /// A blob to send cannot be read.
    #[error("cannot read {digest} to send it: {source}")]
    Read {
        /// Which.
        digest: Digest,
        /// Why.
        source: std::io::Error,
    },
}

/// An error answer, as the specification describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP's number.
    pub status: u16,
    /// `MANIFEST_UNKNOWN`, `DENIED` …; empty when there is none.
    pub code: String,
    /// `denied: requested access to the resource is denied`
    pub message: String,
}

impl RegistryError {
    /// Whether the registry says that it does not have it.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { problem } if problem.status == 404)
    }

    /// Whether the registry says that the name or password is wrong.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized { .. })
            || matches!(self, Self::Refused { problem } if problem.status == 401)
    }

    /// Whether the registry says that this account may not do it.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Refused { problem } if matches!(problem.status, 401 | 403) || problem.code == "DENIED")
    }

    /// Whether asking again may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Http { .. } | Self::Stalled { .. } => true,
            Self::Refused { problem } => matches!(problem.status, 408 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// A request that came to nothing.
    pub(super) fn http(method: &Method, url: &Url) -> impl FnOnce(reqwest::Error) -> Self {
        let (method, url) = (method.clone(), Box::new(url.clone()));
        move |source| Self::Http {
            method,
            url,
            source: source.without_url(),
        }
    }
}

fn failed_request(method: &Method, url: &Url, error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        if cause.is::<LookupError>() {
            break;
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && io.raw_os_error().is_some()
        {
            break;
        }
        cause = deeper;
    }
    let io = cause.downcast_ref::<std::io::Error>();
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let why = if io.is_some_and(|io| io.raw_os_error().is_some()) && error.is_connect() {
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        format!("dial tcp {host}:{port}: connect: {}", text.to_lowercase())
    } else if error.is_timeout() {
        "net/http: request canceled: the server did not answer in time".to_owned()
    } else {
        text.to_owned()
    };
    format!("{} \"{url}\": {why}", go_method(method))
}

/// `Get`, as Go writes it.
fn go_method(method: &Method) -> String {
    let name = method.as_str();
    format!("{}{}", &name[..1], name[1..].to_lowercase())
}

fn wait(retry_after: &Option<String>) -> String {
    match retry_after {
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("wait {text} seconds")
        }
        Some(text) => format!("wait until {text}"),
        None => "wait a while".to_owned(),
    }
}

//! An address at which a registry answers: found out once, before anything is asked of it.

use reqwest::{Client, Method, Response, StatusCode, Url};

use super::challenge::Challenge;
use super::error::Problem;
use super::resolver::{Resolver, is_inward};
use super::settings::host_name;
use super::tls::{self, Proof};
use super::{RegistryError, Settings};

/// Where the names of `docker.io` really are.
pub const DEFAULT_REGISTRY: &str = "registry-1.docker.io";
/// What Docker's credential files call that registry.
pub const INDEX_SERVER: &str = "https://index.docker.io/v1/";

/// Error answers longer than this are cut.
const ERROR_LIMIT: usize = 64 << 10;

/// A registry that answers.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `https://host:port/`
    pub(super) base: Url,
    /// For everything that comes.
    pub(super) http: Client,
    /// For uploads: waiting for an answer may take as long as sending.
    pub(super) upload: Client,
    /// What its greeting asked for.
    pub(super) challenge: Challenge,
    /// How patient we are.
    pub(super) settings: Settings,
    /// It is on this machine, and may send us to other places on it.
    pub(super) is_inward: bool,
}

impl Endpoint {
    /// Finds out how `domain` (`docker.io`, `host:port`) is spoken to.
    pub async fn reach(settings: &Settings, domain: &str) -> Result<Self, RegistryError> {
        let host = if domain == "docker.io" {
            DEFAULT_REGISTRY
        } else {
            domain
        };
        let address = |scheme: &str| {
            Url::parse(&format!("{scheme}://{host}/"))
                .map_err(|_| RegistryError::Address(host.to_owned()))
        };
        if !settings.is_insecure(host) {
            return Self::greet(settings, address("https")?, Proof::Certificate).await;
        }
        match Self::greet(settings, address("https")?, Proof::None).await {
            Err(RegistryError::Http { .. }) => {
                Self::greet(settings, address("http")?, Proof::None).await
            }
            done => done,
        }
    }

    /// Greets a mirror of Docker's own registry.
    pub async fn reach_mirror(settings: &Settings, mirror: &Url) -> Result<Self, RegistryError> {
        let host = host_and_port(mirror);
        let proof = if settings.is_insecure(&host) {
            Proof::None
        } else {
            Proof::Certificate
        };
        Self::greet(settings, mirror.clone(), proof).await
    }

    /// `host[:port]`, as people write it.
    pub fn host(&self) -> String {
        host_and_port(&self.base)
    }

    /// A server that is no registry, and is asked nothing before the request itself.
    pub(super) fn without_greeting(settings: &Settings, url: &Url) -> Result<Self, RegistryError> {
        let mut base = url.clone();
        base.set_path("/");
        base.set_query(None);
        base.set_fragment(None);
        Self::prepare(settings, base, Proof::Certificate)
    }

    fn prepare(settings: &Settings, base: Url, proof: Proof) -> Result<Self, RegistryError> {
        let host = host_and_port(&base);
        let client = |patience: Option<std::time::Duration>| -> Result<Client, RegistryError> {
            let tls = tls::config(&settings.root, &host, proof)?;
            let name = host_name(&host);
            let mut builder = Client::builder()
                .user_agent(concat!("docker/26.1.5 quai/", env!("CARGO_PKG_VERSION")))
                .tls_backend_preconfigured(tls)
                .dns_resolver(Resolver::new(&settings.root, name))
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(settings.patience.min(std::time::Duration::from_secs(30)))
                .http1_only();
            if let Some(patience) = patience {
                builder = builder.read_timeout(patience);
            }
            if is_loopback_name(name) {
                builder = builder.no_proxy();
            }
            builder.build().map_err(|source| RegistryError::Client {
                host: host.clone(),
                source,
            })
        };
        Ok(Self {
            is_inward: is_loopback_name(host_name(&host)),
            http: client(Some(settings.patience))?,
            upload: client(None)?,
            challenge: Challenge::None,
            settings: settings.clone(),
            base,
        })
    }

    async fn greet(settings: &Settings, base: Url, proof: Proof) -> Result<Self, RegistryError> {
        let mut endpoint = Self::prepare(settings, base, proof)?;
        let url = endpoint.url("v2/")?;
        let answer = endpoint.http.get(url.clone()).send().await;
        let answer = answer.map_err(RegistryError::http(&Method::GET, &url))?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::UNAUTHORIZED => {
                endpoint.challenge = challenge_of(&answer, &endpoint.host())?
            }
            _ => return Err(endpoint.refusal(answer).await),
        }
        Ok(endpoint)
    }

    /// An address below the base.
    pub(super) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.base
            .join(path)
            .map_err(|_| RegistryError::Address(path.to_owned()))
    }

    /// Whether `url` is this registry's own: only then it may know who we are.
    pub(super) fn owns(&self, url: &Url) -> bool {
        self.base.scheme() == url.scheme()
            && self.base.host_str() == url.host_str()
            && self.base.port_or_known_default() == url.port_or_known_default()
    }

    /// Refuses to be sent where a registry has no business.
    pub(super) fn check_target(&self, to: &Url) -> Result<(), RegistryError> {
        let refuse = |why| {
            Err(RegistryError::Redirect {
                host: self.host(),
                to: to.to_string(),
                why,
            })
        };
        match to.scheme() {
            "https" => {}
            "http" if self.base.scheme() == "http" => {}
            "http" => return refuse("it is not encrypted, and the registry is"),
            _ => return refuse("it is no address of the web"),
        }
        let name = to.host_str().unwrap_or_default();
        let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let inward = address.is_ok_and(is_inward) || is_loopback_name(name);
        if inward && !self.is_inward && !self.owns(to) {
            return refuse("it is an address of this machine");
        }
        Ok(())
    }

    /// Turns an error answer into an error.
    pub(super) async fn refusal(&self, answer: Response) -> RegistryError {
        let status = answer.status().as_u16();
        let retry_after = answer
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let url = answer.url().clone();
        let (code, message) = problem(status, &limited(answer).await);
        match status {
            429 => RegistryError::TooManyRequests {
                host: self.host(),
                message: message
                    .strip_prefix("toomanyrequests: ")
                    .unwrap_or(&message)
                    .to_owned(),
                retry_after,
            },
            _ if code.is_empty() && status >= 500 => RegistryError::Refused {
                problem: Box::new(Problem {
                    status,
                    code,
                    message: format!("received unexpected HTTP status: {message} ({url})"),
                }),
            },
            _ => RegistryError::Refused {
                problem: Box::new(Problem {
                    status,
                    code,
                    message,
                }),
            },
        }
    }
}

/// What the answer asks for.
pub(super) fn challenge_of(answer: &Response, host: &str) -> Result<Challenge, RegistryError> {
    let values = answer.headers().get_all("www-authenticate");
    let values = values.iter().filter_map(|value| value.to_str().ok());
    Challenge::parse(values).map_err(|challenge| RegistryError::Challenge {
        host: host.to_owned(),
        challenge,
    })
}

/// The `HOST[:PORT]` of an address, as folders of `certs.d` are named.
pub fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn is_loopback_name(name: &str) -> bool {
    name == "localhost"
        || name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The beginning of a body; what cannot be read is left out.
async fn limited(mut answer: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        bytes.extend_from_slice(&piece);
        if bytes.len() >= ERROR_LIMIT {
            bytes.truncate(ERROR_LIMIT);
            break;
        }
    }
    bytes
}

/// `{"errors":[{"code":"DENIED","message":"…"}]}` in Docker's words: `denied: …`.
fn problem(status: u16, body: &[u8]) -> (String, String) {
    #[derive(serde::Deserialize)]
    struct Errors {
        #[serde(default)]
        errors: Vec<One>,
        #[serde(default)]
        details: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let plain = format!("{status} {}", reason.unwrap_or_default());
    let Ok(errors) = serde_json::from_slice::<Errors>(body) else {
        return (String::new(), plain.trim_end().to_owned());
    };
    let word = |code: &str| code.to_lowercase().replace('_', " ");
    let lines: Vec<String> = errors
        .errors
        .iter()
        .map(|one| match one.message.as_str() {
            "" => word(&one.code),
            message => format!(
                "{}: {}",
                word(&one.code),
                message.chars().take(500).collect::<String>()
            ),
        })
        .collect();
    match (lines.len(), errors.details) {
        (0, Some(details)) => (String::new(), details.chars().take(500).collect()),
        (0, None) => (String::new(), plain.trim_end().to_owned()),
        _ => (errors.errors[0].code.clone(), lines.join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_answers_are_told_in_dockers_words() {
        let body = br#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied","detail":[]}]}"#;
        assert_eq!(
            problem(403, body),
            (
                "DENIED".to_owned(),
                "denied: requested access to the resource is denied".to_owned()
            )
        );
        assert_eq!(
            problem(502, b"<html>"),
            (String::new(), "502 Bad Gateway".to_owned())
        );
    }
}

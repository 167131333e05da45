//! The allow list of `Host` and `Origin`: against DNS rebinding and requests forged by other sites.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::Shared;
use crate::error::Failure;

/// Why a request is refused before it reaches a route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// No `Host`, several, or one that is not ours.
    #[error("host {0:?} is not served here")]
    Host(String),
    /// A state change or an upgrade without an `Origin`.
    #[error("a change needs an origin")]
    NoOrigin,
    /// An `Origin` that is not exactly the host asked.
    #[error("origin {origin:?} may not act on {host:?}")]
    Origin {
        /// What the browser said.
        origin: String,
        /// The host it asked.
        host: String,
    },
}

/// The names under which this server may be asked.
#[derive(Debug, Clone)]
pub(crate) struct AllowedHosts(Vec<String>);

/// What a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Read,
    /// Changes state, or opens a socket through which state can be changed.
    Act,
}

impl AllowedHosts {
    /// The names of this host as seen from itself; the port is free, so that a tunnel works.
    pub(crate) fn loopback() -> Self {
        Self(
            ["127.0.0.1", "localhost", "[::1]"]
                .map(str::to_owned)
                .into(),
        )
    }

    /// Judges one request.
    fn judge(&self, uri: &Uri, headers: &HeaderMap, wish: Wish) -> Result<(), Refusal> {
        let host = single(headers, header::HOST.as_str()).unwrap_or_default();
        if !self.knows(host) {
            return Err(Refusal::Host(host.to_owned()));
        }
        // An absolute-form target replaces `Host` (RFC 9112, 3.2.2): both must agree.
        if let Some(authority) = uri.authority()
            && authority.as_str() != host
        {
            return Err(Refusal::Host(authority.to_string()));
        }
        if wish == Wish::Read {
            return Ok(());
        }
        if !headers.contains_key(header::ORIGIN) {
            return Err(Refusal::NoOrigin);
        }
        let origin = single(headers, header::ORIGIN.as_str()).unwrap_or_default();
        if origin.strip_prefix("http://") == Some(host) {
            return Ok(());
        }
        Err(Refusal::Origin {
            origin: origin.to_owned(),
            host: host.to_owned(),
        })
    }

    fn knows(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port),
            _ => (host, "80"),
        };
        self.0.iter().any(|known| known == name) && port.parse::<u16>().is_ok()
    }
}

/// Middleware: lets a request through only when host and origin are ours.
pub(crate) async fn guard(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let wish = wish(request.method(), request.headers());
    match app
        .config
        .hosts
        .judge(request.uri(), request.headers(), wish)
    {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            tracing::warn!(%refusal, method = %request.method(), path = request.uri().path(), "refused");
            Failure::Refused(refusal).into_response()
        }
    }
}

fn wish(method: &Method, headers: &HeaderMap) -> Wish {
    let upgrades = headers.contains_key(header::UPGRADE);
    if matches!(*method, Method::GET | Method::HEAD) && !upgrades {
        Wish::Read
    } else {
        Wish::Act
    }
}

/// The value of a header that must be there exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, origin: Option<&str>, wish: Wish, allowed: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let verdict = AllowedHosts::loopback().judge(&Uri::from_static("/"), &headers, wish);
        assert_eq!(verdict.is_ok(), allowed, "{verdict:?}");
    }

    #[test]
    fn our_own_names_may_be_read() {
        check("127.0.0.1:8080", None, Wish::Read, true);
        check("localhost:9000", None, Wish::Read, true);
        check("[::1]:8080", None, Wish::Read, true);
        check("localhost", None, Wish::Read, true);
    }

    #[test]
    fn a_rebound_name_is_refused() {
        check("evil.example:8080", None, Wish::Read, false);
        check("127.0.0.1.evil.example:8080", None, Wish::Read, false);
        check("127.0.0.1:8080@evil.example", None, Wish::Read, false);
        check("localhost:80:80", None, Wish::Read, false);
        check("", None, Wish::Read, false);
    }

    #[test]
    fn a_change_needs_exactly_our_origin() {
        let host = "127.0.0.1:8080";
        check(host, Some("http://127.0.0.1:8080"), Wish::Act, true);
        check(host, None, Wish::Act, false);
        check(host, Some("null"), Wish::Act, false);
        check(host, Some("http://localhost:8080"), Wish::Act, false);
        check(host, Some("http://127.0.0.1:3000"), Wish::Act, false);
        check(host, Some("https://127.0.0.1:8080"), Wish::Act, false);
        check(
            host,
            Some("http://127.0.0.1:8080.evil.example"),
            Wish::Act,
            false,
        );
        check(host, Some("http://127.0.0.1:8080/"), Wish::Act, false);
    }

    #[test]
    fn two_hosts_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "127.0.0.1".parse().unwrap());
        headers.append(header::HOST, "127.0.0.1".parse().unwrap());
        let verdict = AllowedHosts::loopback().judge(&Uri::from_static("/"), &headers, Wish::Read);
        assert!(verdict.is_err());
    }

    #[test]
    fn an_absolute_target_must_agree_with_the_host() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "127.0.0.1:8080".parse().unwrap());
        let uri = Uri::from_static("http://evil.example/");
        let verdict = AllowedHosts::loopback().judge(&uri, &headers, Wish::Read);
        assert_eq!(verdict, Err(Refusal::Host("evil.example".into())));
    }

    #[test]
    fn an_upgrade_is_an_act() {
        let mut headers = HeaderMap::new();
        assert_eq!(wish(&Method::GET, &headers), Wish::Read);
        assert_eq!(wish(&Method::POST, &headers), Wish::Act);
        headers.insert(header::UPGRADE, "websocket".parse().unwrap());
        assert_eq!(wish(&Method::GET, &headers), Wish::Act);
    }
}

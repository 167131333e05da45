//! Every address of the registry on one screen. Names hold slashes, so paths are taken apart from their end.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::answer::{Refusal, empty};
use super::auth::Gate;
use super::names::{RepositoryName, Selector};
use super::storage::Storage;
use super::upload::Uploads;
use super::{blobs, manifests, tags};

/// What all routes share.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) storage: Storage,
    pub(super) uploads: Uploads,
    pub(super) gate: Gate,
    pub(super) limits: Limits,
}

/// What the registry accepts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of a blob.
    pub(super) blob: u64,
    /// Whether anything may be written.
    pub(super) access: Access,
}

/// What clients may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everything.
    ReadWrite,
    /// Nothing but reading.
    ReadOnly,
}

/// The whole registry.
pub(super) fn router(registry: Arc<Registry>) -> Router {
    Router::new().fallback(handle).with_state(registry)
}

async fn handle(State(registry): State<Arc<Registry>>, request: Request) -> Response {
    let is_head = request.method() == Method::HEAD;
    let mut response = match answer(&registry, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    let version = HeaderValue::from_static("registry/2.0");
    response
        .headers_mut()
        .insert("docker-distribution-api-version", version);
    if is_head {
        *response.body_mut() = axum::body::Body::empty();
    }
    response
}

async fn answer(registry: &Arc<Registry>, request: Request) -> Result<Response, Refusal> {
    registry.gate.check(request.headers()).await?;
    let method = request.method().clone();
    let reads = matches!(method, Method::GET | Method::HEAD);
    if !reads && registry.limits.access == Access::ReadOnly {
        return Err(Refusal::Denied);
    }
    let uri = request.uri().clone();
    let Some(path) = uri.path().strip_prefix("/v2") else {
        return match uri.path() {
            "/v1/search" if reads => tags::search(registry, &uri).await,
            _ => Ok(StatusCode::NOT_FOUND.into_response()),
        };
    };
    match path {
        "" | "/" if reads => return Ok(empty(StatusCode::OK, &[])),
        "/_catalog" if reads => return tags::catalogue(registry, &uri).await,
        "" | "/" | "/_catalog" => return Err(Refusal::Unsupported),
        _ => {}
    }
    let route = Route::parse(path.trim_start_matches('/')).ok_or(Refusal::NameInvalid)?;
    let name = RepositoryName::parse(route.name).ok_or(Refusal::NameInvalid)?;
    let last = route.last;
    match (route.kind, method.as_str()) {
        ("tags", "GET" | "HEAD") if last == "list" => tags::list(registry, &name, &uri).await,
        ("referrers", "GET" | "HEAD") => {
            let digest = last.parse().map_err(|_| Refusal::DigestInvalid)?;
            tags::referrers(registry, &name, &digest, &uri).await
        }
        ("manifests", verb) => {
            let selector =
                Selector::parse(last).ok_or(Refusal::ManifestInvalid("bad reference".into()))?;
            match verb {
                "GET" | "HEAD" => manifests::get(registry, &name, &selector).await,
                "PUT" => manifests::put(registry, &name, &selector, request).await,
                "DELETE" => manifests::delete(registry, &name, &selector).await,
                _ => Err(Refusal::Unsupported),
            }
        }
        ("uploads", "POST") if last.is_empty() => {
            blobs::begin(registry, &name, &uri, request).await
        }
        ("uploads", _) if last.is_empty() => Err(Refusal::Unsupported),
        ("uploads", verb) => match verb {
            "GET" => blobs::status(registry, &name, last).await,
            "PATCH" => blobs::append(registry, &name, last, request).await,
            "PUT" => blobs::finish(registry, &name, last, &uri, request).await,
            "DELETE" => blobs::cancel(registry, &name, last).await,
            _ => Err(Refusal::Unsupported),
        },
        ("blobs", verb) => {
            let digest = last.parse().map_err(|_| Refusal::DigestInvalid)?;
            match verb {
                "GET" | "HEAD" => blobs::get(registry, &name, &digest, request.headers()).await,
                "DELETE" => blobs::delete(registry, &name, &digest).await,
                _ => Err(Refusal::Unsupported),
            }
        }
        _ => Err(Refusal::Unsupported),
    }
}

/// `NAME/KIND/LAST`
#[derive(Debug, PartialEq, Eq)]
struct Route<'p> {
    name: &'p str,
    kind: &'p str,
    last: &'p str,
}

impl<'p> Route<'p> {
    fn parse(path: &'p str) -> Option<Self> {
        if let Some((name, last)) = path.rsplit_once("/blobs/uploads/")
            && !last.contains('/')
        {
            return Some(Self {
                name,
                kind: "uploads",
                last,
            });
        }
        if let Some(name) = path.strip_suffix("/blobs/uploads") {
            return Some(Self {
                name,
                kind: "uploads",
                last: "",
            });
        }
        let (rest, last) = path.rsplit_once('/')?;
        let (name, kind) = rest.rsplit_once('/')?;
        matches!(kind, "tags" | "manifests" | "blobs" | "referrers").then_some(Self {
            name,
            kind,
            last,
        })
    }
}

/// A parameter of an address, decoded.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let found = pairs.0.into_iter().find(|(known, _)| known == name);
    found
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}

/// Runs blocking work beside the sockets.
pub(super) async fn block<T: Send + 'static>(
    registry: &Arc<Registry>,
    work: impl FnOnce(&Registry) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let registry = Arc::clone(registry);
    match tokio::task::spawn_blocking(move || work(&registry)).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_from_their_end() {
        for (path, name, kind, last) in [
            ("a/b/manifests/latest", "a/b", "manifests", "latest"),
            ("a/blobs/uploads/", "a", "uploads", ""),
            ("a/blobs/uploads", "a", "uploads", ""),
            ("a/blobs/uploads/x", "a", "uploads", "x"),
            ("a/blobs/blobs/sha256:0", "a/blobs", "blobs", "sha256:0"),
            ("tags/tags/list", "tags", "tags", "list"),
        ] {
            assert_eq!(
                Route::parse(path),
                Some(Route { name, kind, last }),
                "{path}"
            );
        }
        for bad in ["", "a", "a/b", "a/b/c"] {
            assert_eq!(Route::parse(bad), None, "{bad}");
        }
    }
}

//! Registries: pull, push, search, login, and what a name leads to.

use std::future::Future;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use futures_util::{StreamExt, stream};

use crate::api::body::{JsonBody, json_lines};
use crate::api::error::ApiError;
use crate::api::query::Query;
use crate::api::types::{AuthAnswer, AuthConfig};
use crate::daemon::{Daemon, DaemonError, ProgressSink, PullRequest, PushRequest};
use crate::registry::Credentials;

use super::Shared;
use super::images::failure;

/// `X-Registry-Auth`: JSON in base64 for addresses; what cannot be read counts as nothing, as in Docker.
fn credentials(headers: &HeaderMap) -> Credentials {
    let Some(text) = headers
        .get("x-registry-auth")
        .and_then(|value| value.to_str().ok())
    else {
        return Credentials::default();
    };
    let bytes = URL_SAFE
        .decode(text)
        .or_else(|_| URL_SAFE_NO_PAD.decode(text));
    bytes
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

pub(super) async fn pull(
    daemon: Arc<Daemon>,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let Some(name) = query.get("fromImage") else {
        return Err(ApiError::bad_request("fromImage or fromSrc is missing"));
    };
    let request = PullRequest::parse(
        name,
        query.get("tag"),
        query.get("platform"),
        credentials(headers),
    )?;
    let (sink, progress) = ProgressSink::new();
    told(progress, async move { daemon.pull(request, sink).await }).await
}

pub(super) async fn push(
    daemon: Arc<Daemon>,
    name: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    if query.get("platform").is_some() {
        return Err(DaemonError::Unsupported("pushing one platform of an image".into()).into());
    }
    let request = PushRequest::parse(name, query.get("tag"), credentials(headers))?;
    let (sink, progress) = ProgressSink::new();
    told(progress, async move { daemon.push(request, sink).await }).await
}

/// A failure before the first message is the answer; later it is the last message of the stream.
async fn told(
    mut progress: tokio::sync::mpsc::UnboundedReceiver<crate::api::types::Progress>,
    work: impl Future<Output = Result<(), DaemonError>> + Send + 'static,
) -> Result<Response, ApiError> {
    let task = tokio::spawn(work);
    let ended = async move {
        task.await
            .unwrap_or_else(|error| Err(DaemonError::Panic(error.to_string())))
    };
    let Some(first) = progress.recv().await else {
        ended.await?;
        return Ok(json_lines(stream::empty::<crate::api::types::Progress>()));
    };
    let rest = stream::unfold(progress, |mut progress| async {
        progress.recv().await.map(|message| (message, progress))
    });
    let end = stream::once(ended)
        .filter_map(|ended| async move { ended.err().map(|error| failure(&error)) });
    Ok(json_lines(stream::iter([first]).chain(rest).chain(end)))
}

pub(super) async fn search(State(daemon): Shared, query: Query) -> Result<Response, ApiError> {
    let filters = crate::daemon::Filters::parse(
        query.get("filters"),
        &["stars", "is-official", "is-automated"],
    )?;
    let official = filters.flag("is-official")?;
    let automated = filters.flag("is-automated")?;
    let stars = filters.get("stars");
    let mut least = 0;
    for text in stars {
        let number: i64 = text
            .parse()
            .map_err(|_| ApiError::bad_request(format!("invalid filter 'stars=[{text}]'")))?;
        least = least.max(number);
    }
    let term = query.get("term").unwrap_or_default();
    let mut found = daemon.search(term, query.number("limit")?).await?;
    found.retain(|one| {
        official.is_none_or(|official| one.is_official == official)
            && automated.is_none_or(|automated| one.is_automated == automated)
            && one.star_count >= least
    });
    Ok(Json(found).into_response())
}

pub(super) async fn auth(
    State(daemon): Shared,
    JsonBody(auth): JsonBody<AuthConfig>,
) -> Result<Response, ApiError> {
    let credentials = Credentials {
        username: auth.username,
        password: auth.password,
        identity_token: auth.identitytoken,
        ..Credentials::default()
    };
    let login = daemon.log_in(&auth.serveraddress, credentials).await?;
    Ok(Json(AuthAnswer {
        status: "Login Succeeded".into(),
        identity_token: login.identity_token.unwrap_or_default(),
    })
    .into_response())
}

pub(super) async fn distribution(
    State(daemon): Shared,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    match path.rsplit_once('/') {
        Some((name, "json")) => Ok(Json(
            daemon
                .inspect_distribution(name, credentials(&headers))
                .await?,
        )
        .into_response()),
        _ => Err(ApiError::page_not_found()),
    }
}

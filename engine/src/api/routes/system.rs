//! The engine itself.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::sync::broadcast::error::RecvError;

use crate::api::body::json_lines;
use crate::api::error::ApiError;
use crate::api::peer::Peer;
use crate::api::query::Query;
use crate::api::version::ApiVersion;
use crate::daemon::{
    API_VERSION, CACHE_FILTERS, CachePrune, DaemonError, Filters, event_matches, parse_time,
};

use super::Shared;

/// Clients read the version from the heads.
pub(super) async fn ping() -> Response {
    let heads = [
        (HeaderName::from_static("api-version"), API_VERSION),
        (HeaderName::from_static("ostype"), "linux"),
        (HeaderName::from_static("docker-experimental"), "false"),
        (HeaderName::from_static("swarm"), "inactive"),
        (HeaderName::from_static("builder-version"), "1"),
        (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
        (header::PRAGMA, "no-cache"),
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
    ];
    (heads, "OK").into_response()
}

pub(super) async fn version(State(daemon): Shared) -> Response {
    Json(daemon.version()).into_response()
}

/// The text format of Prometheus, version 0.0.4.
pub(super) async fn metrics(State(daemon): Shared) -> Result<Response, ApiError> {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let text = daemon.metrics().await?;
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

pub(super) async fn info(State(daemon): Shared) -> Result<Response, ApiError> {
    Ok(Json(daemon.info().await?).into_response())
}

/// All parts, or those named by `type`; what is not named is left out of the answer.
pub(super) async fn disk_usage(
    State(daemon): Shared,
    query: Query,
    version: ApiVersion,
) -> Result<Response, ApiError> {
    let asked = if version >= ApiVersion::new(1, 42) {
        query.all("type")
    } else {
        Vec::new()
    };
    let known = ["container", "image", "volume", "build-cache"];
    if let Some(other) = asked.iter().find(|kind| !known.contains(&kind.as_str())) {
        return Err(ApiError::bad_request(format!(
            "unknown object type: {other}"
        )));
    }
    let mut usage = daemon.disk_usage().await?;
    let wants = |kind: &str| asked.is_empty() || asked.iter().any(|asked| asked == kind);
    let parts = [
        ("image", &["Images", "LayersSize"][..]),
        ("container", &["Containers"]),
        ("volume", &["Volumes"]),
        ("build-cache", &["BuildCache", "BuilderSize"]),
    ];
    usage.builder_size = (version < ApiVersion::new(1, 42)).then_some(0);
    let mut answer = serde_json::to_value(usage).expect("answers are plain data");
    for (_, fields) in parts.iter().filter(|(kind, _)| !wants(kind)) {
        for field in *fields {
            if let Some(answer) = answer.as_object_mut() {
                answer.remove(*field);
            }
        }
    }
    Ok(Json(answer).into_response())
}

/// Past events since a time, then live ones until a time.
pub(super) async fn events(
    State(daemon): Shared,
    query: Query,
    peer: Peer,
) -> Result<Response, ApiError> {
    let filters = Filters::of_any_key(query.get("filters"))?;
    let time = |name: &str| {
        let time = query.get(name).map(parse_time).transpose();
        time.map_err(|_| {
            let text = query.get(name).unwrap_or_default();
            ApiError::server(format!(
                "strconv.ParseInt: parsing {text:?}: invalid syntax"
            ))
        })
    };
    let nanoseconds =
        |time: jiff::Timestamp| i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX);
    let (since, until) = (time("since")?.map(nanoseconds), time("until")?);
    if let (Some(since), Some(until)) = (since, until.map(nanoseconds))
        && since > until
    {
        return Err(ApiError::bad_request(format!(
            "`since` time ({}) cannot be after `until` time ({})",
            query.get("since").unwrap_or_default(),
            query.get("until").unwrap_or_default()
        )));
    }
    let (past, live) = daemon.events(since).await?;
    let end = until.map(nanoseconds).unwrap_or(i64::MAX);
    let deadline = until.map(|until| {
        let left = until.as_millisecond() - jiff::Timestamp::now().as_millisecond();
        std::time::Duration::from_millis(u64::try_from(left).unwrap_or(0))
    });
    let live = stream::unfold(live, |mut live| async {
        loop {
            match live.recv().await {
                Ok(event) => return Some((event, live)),
                // A slow reader loses events rather than the engine its memory; it can ask again with `since`.
                Err(RecvError::Lagged(count)) => tracing::warn!("a listener lost {count} events"),
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let over = async move {
        match deadline {
            Some(left) => tokio::time::sleep(left).await,
            None => std::future::pending().await,
        }
    };
    let all = stream::iter(past).chain(live.take_until(Box::pin(over)));
    let wanted = all.filter(move |event| {
        let wanted = event.time_nano <= end && event_matches(event, &filters);
        async move { wanted }
    });
    Ok(json_lines(wanted.take_until(Box::pin(peer.gone()))))
}

/// Removes what builds have kept, down to what is to stay.
pub(super) async fn prune_build_cache(
    State(daemon): Shared,
    query: Query,
) -> Result<Response, ApiError> {
    let size = |name: &str| query.number::<u64>(name);
    if size("min-free-space")?.is_some_and(|bytes| bytes != 0) {
        return Err(DaemonError::Invalid(
            "min-free-space is not supported: say with reserved-space how much of the cache stays"
                .into(),
        )
        .into());
    }
    let keep = match (size("reserved-space")?, size("max-used-space")?) {
        (None, None) => size("keep-storage")?,
        (reserved, most) => reserved.max(most),
    };
    let wish = CachePrune {
        all: query.flag("all"),
        keep: keep.unwrap_or(0),
        filters: Filters::parse(query.get("filters"), &CACHE_FILTERS)?,
    };
    let pruned = daemon.prune_cache(wish).await?;
    let deleted = (!pruned.deleted.is_empty()).then_some(pruned.deleted);
    let body = serde_json::json!({ "CachesDeleted": deleted, "SpaceReclaimed": pruned.bytes });
    Ok(Json(body).into_response())
}

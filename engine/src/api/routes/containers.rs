//! Containers: their life, as verbs.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::api::adapt;
use crate::api::body::{JsonBody, RequiredJson, json_lines};
use crate::api::error::ApiError;
use crate::api::peer::Peer;
use crate::api::query::Query;
use crate::api::types::{ContainerConfig, CreateContainer, HostConfig};
use crate::api::version::ApiVersion;
use crate::daemon::{
    Daemon, DaemonError, Filters, LIST_FILTERS, ListOptions, RemoveOptions, Sizes, WaitCondition,
};

use super::Shared;

fn sizes(asked: bool) -> Sizes {
    if asked {
        Sizes::Computed
    } else {
        Sizes::Skipped
    }
}

pub(super) async fn list(State(daemon): Shared, query: Query) -> Result<Response, ApiError> {
    let options = ListOptions {
        all: query.flag("all"),
        limit: query
            .number::<i64>("limit")?
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit > 0),
        sizes: sizes(query.flag("size")),
        filters: Filters::parse(query.get("filters"), &LIST_FILTERS)?,
    };
    let list = daemon.list(options).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], list).into_response())
}

pub(super) async fn create(
    State(daemon): Shared,
    query: Query,
    version: ApiVersion,
    RequiredJson(mut request): RequiredJson<CreateContainer>,
) -> Result<Response, ApiError> {
    if request.config == ContainerConfig::default() {
        return Err(ApiError::bad_request(
            "config cannot be empty in order to create a container",
        ));
    }
    adapt::create(&mut request, version)?;
    if let Some(platform) = query
        .get("platform")
        .filter(|_| version >= ApiVersion::new(1, 41))
    {
        daemon
            .check_platform(&request.config.image, platform)
            .await?;
    }
    let name = query.get("name").map(str::to_owned);
    Ok((
        StatusCode::CREATED,
        Json(daemon.create(name, request).await?),
    )
        .into_response())
}

pub(super) async fn inspect(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    Ok(Json(daemon.inspect(&id, sizes(query.flag("size"))).await?).into_response())
}

pub(super) async fn start(
    State(daemon): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    daemon.start(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn stop(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<StatusCode, ApiError> {
    daemon
        .stop(&id, query.get("signal"), query.number("t")?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn restart(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<StatusCode, ApiError> {
    daemon
        .restart(&id, query.get("signal"), query.number("t")?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn kill(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<StatusCode, ApiError> {
    daemon.kill(&id, query.get("signal")).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn rename(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<StatusCode, ApiError> {
    let name = query
        .get("name")
        .ok_or_else(|| ApiError::bad_request("Neither old nor new names may be empty"))?;
    daemon.rename(&id, name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn resize(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<StatusCode, ApiError> {
    let (cols, rows) = size(&query)?;
    daemon.resize(&id, cols, rows).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn pause(
    State(daemon): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    daemon.pause(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn unpause(
    State(daemon): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    daemon.unpause(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn update(
    State(daemon): Shared,
    Path(id): Path<String>,
    version: ApiVersion,
    JsonBody(mut wanted): JsonBody<HostConfig>,
) -> Result<Response, ApiError> {
    adapt::update(&mut wanted, version);
    Ok(Json(daemon.update(&id, wanted).await?).into_response())
}

pub(super) async fn top(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    Ok(Json(daemon.top(&id, query.get("ps_args")).await?).into_response())
}

/// One reading, or one each second; each carries the former one, from which clients compute percentages.
pub(super) async fn stats(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
    peer: Peer,
) -> Result<Response, ApiError> {
    let streaming = query.get("stream").is_none() || query.flag("stream");
    let at_once = query.flag("one-shot");
    if streaming && at_once {
        return Err(ApiError::bad_request(
            "cannot have stream=true and one-shot=true",
        ));
    }
    let first = daemon.stats(&id).await?;
    let idle = first["memory_stats"]["usage"].is_null();
    if at_once || (!streaming && idle) {
        return Ok(Json(first).into_response());
    }
    let next = |(daemon, id, before): (Arc<Daemon>, String, Value)| async move {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let mut now = daemon.stats(&id).await.ok()?;
        now["precpu_stats"] = before["cpu_stats"].clone();
        now["preread"] = before["read"].clone();
        Some((now.clone(), (daemon, id, now)))
    };
    let later = stream::unfold((daemon, id, first.clone()), next);
    if streaming {
        let all = stream::once(std::future::ready(first)).chain(later);
        return Ok(json_lines(all.take_until(Box::pin(peer.gone()))));
    }
    Ok(json_lines(later.take(1)))
}

/// Width and height of a terminal.
pub(super) fn size(query: &Query) -> Result<(u16, u16), ApiError> {
    let rows = query.required("h")?;
    Ok((query.required("w")?, rows))
}

/// The head goes out at once: clients read it before they start the container they wait for.
pub(super) async fn wait(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
    peer: Peer,
) -> Result<Response, ApiError> {
    let condition = WaitCondition::parse(query.get("condition"))?;
    let waiting = daemon.wait(&id, condition)?;
    let body = stream::once(async move {
        let ended = serde_json::to_vec(&waiting.await).expect("answers are plain data");
        Ok::<_, std::convert::Infallible>(Bytes::from(ended))
    });
    let body = Box::pin(body).take_until(Box::pin(peer.gone()));
    Ok((
        [(header::CONTENT_TYPE, "application/json")],
        Body::from_stream(body),
    )
        .into_response())
}

pub(super) async fn remove(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<StatusCode, ApiError> {
    if query.flag("link") {
        // A link is called `container/alias`; a name alone is that of no link.
        return Err(ApiError::from(DaemonError::Conflict(
            "Conflict, cannot remove the default link name of the container".into(),
        )));
    }
    daemon
        .remove(
            &id,
            RemoveOptions {
                force: query.flag("force"),
                volumes: query.flag("v"),
            },
        )
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `docker rm --link web/db`: the container stays, its link goes.
pub(super) async fn unlink(
    State(daemon): Shared,
    Path((id, alias)): Path<(String, String)>,
    query: Query,
) -> Result<StatusCode, ApiError> {
    if !query.flag("link") {
        let text = format!("No such container: {id}/{alias}");
        return Err(DaemonError::NotFoundText(text).into());
    }
    daemon.remove_link(&id, &alias).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn prune(State(daemon): Shared, query: Query) -> Result<Response, ApiError> {
    let filters = Filters::parse(query.get("filters"), &["until", "label", "label!"])?;
    Ok(Json(daemon.prune_containers(&filters).await?).into_response())
}

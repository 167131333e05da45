//! Images. Their names hold slashes, so routes on one image catch the whole rest of the path.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::api::adapt;
use crate::api::body::json_lines;
use crate::api::error::ApiError;
use crate::api::query::Query;
use crate::api::types::{ErrorDetail, Progress};
use crate::api::version::ApiVersion;
use crate::daemon::{DaemonError, Filters, Force, IMAGE_FILTERS, IntermediateImages};

use super::Shared;

pub(super) async fn list(
    State(daemon): Shared,
    query: Query,
    version: ApiVersion,
) -> Result<Response, ApiError> {
    let filters = Filters::parse(query.get("filters"), &IMAGE_FILTERS)?;
    let intermediate = if query.flag("all") {
        IntermediateImages::Shown
    } else {
        IntermediateImages::Hidden
    };
    let images = daemon.list_images(filters, intermediate).await?;
    if version < ApiVersion::new(1, 44) {
        return Ok(Json(adapt::images(&images, version)).into_response());
    }
    Ok(Json(images).into_response())
}

pub(super) async fn prune(State(daemon): Shared, query: Query) -> Result<Response, ApiError> {
    let filters = Filters::parse(
        query.get("filters"),
        &["dangling", "until", "label", "label!"],
    )?;
    Ok(Json(daemon.prune_images(filters).await?).into_response())
}

/// `pull` with `fromImage`; `import` with `fromSrc`.
pub(super) async fn create(
    State(daemon): Shared,
    query: Query,
    request: Request,
) -> Result<Response, ApiError> {
    if let Some(source) = query.get("fromSrc") {
        return super::archives::import(daemon, source, &query, request).await;
    }
    super::registry::pull(daemon, &query, request.headers()).await
}

/// A progress stream as a body.
pub(super) fn progress_lines(progress: tokio::sync::mpsc::UnboundedReceiver<Progress>) -> Response {
    json_lines(stream::unfold(progress, |mut progress| async {
        progress.recv().await.map(|message| (message, progress))
    }))
}

/// The last message of a stream that failed.
pub(super) fn failure(error: &DaemonError) -> Progress {
    let message = error.to_string();
    Progress {
        error_detail: Some(ErrorDetail {
            code: None,
            message: message.clone(),
        }),
        error: Some(message),
        ..Progress::default()
    }
}

pub(super) async fn one(
    State(daemon): Shared,
    Path(path): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    match path.rsplit_once('/') {
        Some((name, "json")) => Ok(Json(daemon.inspect_image(name).await?).into_response()),
        Some((name, "history")) => Ok(Json(daemon.image_history(name).await?).into_response()),
        Some((name, "explore")) => Ok(Json(daemon.explore_image(name).await?).into_response()),
        Some((name, "get")) => super::archives::save(daemon, vec![name.to_owned()]).await,
        None if path == "get" => super::archives::save(daemon, query.all("names")).await,
        _ => Err(ApiError::page_not_found()),
    }
}

pub(super) async fn act(
    State(daemon): Shared,
    Path(path): Path<String>,
    query: Query,
    request: Request,
) -> Result<Response, ApiError> {
    match path.rsplit_once('/') {
        Some((name, "tag")) => {
            let repository = query.get("repo").unwrap_or_default();
            daemon
                .tag(name, repository, query.get("tag").unwrap_or_default())
                .await?;
            Ok(StatusCode::CREATED.into_response())
        }
        Some((name, "push")) => {
            super::registry::push(daemon, name, &query, request.headers()).await
        }
        None if path == "load" => super::archives::load(daemon, &query, request).await,
        _ => Err(ApiError::page_not_found()),
    }
}

pub(super) async fn remove(
    State(daemon): Shared,
    Path(path): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    let force = if query.flag("force") {
        Force::Yes
    } else {
        Force::No
    };
    Ok(Json(daemon.remove_image(&path, force).await?).into_response())
}

//! Volumes.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::query::Query;
use crate::api::types::CreateVolume;
use crate::api::version::ApiVersion;
use crate::daemon::{Filters, Force};

use super::Shared;

pub(super) async fn list(State(daemon): Shared, query: Query) -> Result<Response, ApiError> {
    let filters = Filters::parse(
        query.get("filters"),
        &["dangling", "driver", "label", "label!", "name"],
    )?;
    Ok(Json(daemon.list_volumes(filters).await?).into_response())
}

pub(super) async fn inspect(
    State(daemon): Shared,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    Ok(Json(daemon.inspect_volume(&name).await?).into_response())
}

pub(super) async fn create(
    State(daemon): Shared,
    JsonBody(request): JsonBody<CreateVolume>,
) -> Result<Response, ApiError> {
    Ok((
        StatusCode::CREATED,
        Json(daemon.create_volume(request).await?),
    )
        .into_response())
}

pub(super) async fn remove(
    State(daemon): Shared,
    Path(name): Path<String>,
    query: Query,
) -> Result<StatusCode, ApiError> {
    let force = if query.flag("force") {
        Force::Yes
    } else {
        Force::No
    };
    daemon.remove_volume(&name, force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Until 1.42 named volumes were removed as well.
pub(super) async fn prune(
    State(daemon): Shared,
    query: Query,
    version: ApiVersion,
) -> Result<Response, ApiError> {
    let mut filters = Filters::parse(query.get("filters"), &["all", "label", "label!"])?;
    if version < ApiVersion::new(1, 42) {
        filters = filters.with("all", "true");
    }
    Ok(Json(daemon.prune_volumes(filters).await?).into_response())
}

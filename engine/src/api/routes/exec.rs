//! A second process in a container.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::hijack::{self, Framing};
use crate::api::query::Query;
use crate::api::types::{self, CreateExec, IdResponse};

use super::{Shared, containers};

pub(super) async fn create(
    State(daemon): Shared,
    Path(id): Path<String>,
    JsonBody(request): JsonBody<CreateExec>,
) -> Result<Response, ApiError> {
    let id = daemon.create_exec(&id, request)?;
    Ok((StatusCode::CREATED, Json(IdResponse { id })).into_response())
}

pub(super) async fn start(
    State(daemon): Shared,
    Path(id): Path<String>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let upgrade =
        hijack::wants_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let bytes = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .map_err(|error| ApiError::bad_request(format!("cannot read the request: {error}")))?;
    let start = if bytes.is_empty() {
        types::StartExec::default()
    } else {
        types::from_json(&bytes)
            .map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))?
    };
    let framing = Framing::of(daemon.exec_has_terminal(&id)?);
    let Some(streams) = daemon.start_exec(&id, start).await? else {
        return Ok(StatusCode::OK.into_response());
    };
    let streams = std::future::ready(Some(streams));
    let recorded = daemon.exec_recorded(id);
    Ok(match upgrade {
        Some(upgrade) => {
            let relay = hijack::relay(upgrade, framing, Vec::new(), streams, recorded);
            tokio::spawn(relay);
            hijack::switching(framing)
        }
        None => hijack::reading(
            framing,
            hijack::output_body(framing, Vec::new(), streams, recorded),
        ),
    })
}

pub(super) async fn inspect(
    State(daemon): Shared,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(Json(daemon.inspect_exec(&id)?).into_response())
}

pub(super) async fn resize(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<StatusCode, ApiError> {
    let (cols, rows) = containers::size(&query)?;
    daemon.resize_exec(&id, cols, rows).await?;
    Ok(StatusCode::OK)
}

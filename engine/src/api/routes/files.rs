//! The files of a container.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;

use crate::api::error::ApiError;
use crate::api::pipe::{BodyReader, BodyWriter};
use crate::api::query::Query;
use crate::api::types::PathStat;

use super::Shared;

pub(super) async fn changes(
    State(daemon): Shared,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(Json(daemon.changes(&id).await?).into_response())
}

pub(super) async fn export(
    State(daemon): Shared,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    // An unknown container is an error and not a stream.
    daemon.has_terminal(&id)?;
    let (writer, body, breaker) = BodyWriter::new();
    tokio::spawn(async move {
        if let Err(error) = daemon.export(&id, writer).await {
            breaker.fail(error.to_string()).await;
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

pub(super) async fn stat(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    let stat = daemon.stat_path(&id, path(&query)?).await?;
    Ok((StatusCode::OK, [stat_head(&stat)]).into_response())
}

pub(super) async fn copy_out(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    let path = path(&query)?.to_owned();
    let head = stat_head(&daemon.stat_path(&id, &path).await?);
    let (writer, body, breaker) = BodyWriter::new();
    tokio::spawn(async move {
        if let Err(error) = daemon.copy_out(&id, &path, writer).await {
            breaker.fail(error.to_string()).await;
        }
    });
    let kind = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-tar"),
    );
    Ok(([kind, head], body).into_response())
}

pub(super) async fn copy_in(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
    request: Request,
) -> Result<StatusCode, ApiError> {
    daemon
        .copy_in(&id, path(&query)?, BodyReader::new(request.into_body()))
        .await?;
    Ok(StatusCode::OK)
}

fn path(query: &Query) -> Result<&str, ApiError> {
    query
        .get("path")
        .ok_or_else(|| ApiError::bad_request("missing parameter in query: path"))
}

fn stat_head(stat: &PathStat) -> (HeaderName, HeaderValue) {
    let json = serde_json::to_vec(stat).expect("answers are plain data");
    let text = base64::engine::general_purpose::STANDARD.encode(json);
    let value = HeaderValue::from_str(&text).expect("base64 is plain text");
    (
        HeaderName::from_static("x-docker-container-path-stat"),
        value,
    )
}

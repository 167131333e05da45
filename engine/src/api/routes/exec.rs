//! A second process in a container.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::hijack::{self, Framing};
use crate::api::query::Query;
use crate::api::types::{self, CreateExec, IdResponse};
use crate::daemon::LogLine;

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
    let streams = match (daemon.start_exec(&id, start).await, upgrade.is_some()) {
        (Ok(Some(streams)), _) => streams,
        (Ok(None), _) => return Ok(StatusCode::OK.into_response()),
        (Err(error), true) => {
            let why = error.unrunnable_exec().ok_or(error)?;
            return Ok(unrunnable(upgrade, framing, &why));
        }
        (Err(error), false) => return Err(error.into()),
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

/// The answer when there is no such program: a stream that says so, as Docker's does.
///
/// Clients expect an upgraded connection and find the exit code by inspecting the exec.
fn unrunnable(upgrade: Option<OnUpgrade>, framing: Framing, why: &str) -> Response {
    if let Some(upgrade) = upgrade {
        let line = LogLine {
            time: jiff::Timestamp::now(),
            is_stderr: false,
            text: format!("{why}\r\n"),
        };
        let nobody = std::future::ready(None);
        let recorded = std::future::ready(());
        tokio::spawn(hijack::relay(
            upgrade,
            framing,
            vec![line],
            nobody,
            recorded,
        ));
    }
    hijack::switching(framing)
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

//! A second process in a container.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::hijack::{self, End, Framing, Leaving};
use crate::api::peer::Peer;
use crate::api::query::Query;
use crate::api::types::{CreateExec, IdResponse, StartExec};
use crate::api::version::ApiVersion;

use super::{Shared, containers, streams};

pub(super) async fn create(
    State(daemon): Shared,
    Path(id): Path<String>,
    version: ApiVersion,
    JsonBody(mut request): JsonBody<CreateExec>,
) -> Result<Response, ApiError> {
    if version < ApiVersion::new(1, 42) {
        request.console_size = None;
    }
    streams::keys(Some(&request.detach_keys))?;
    let id = daemon.create_exec(&id, request)?;
    Ok((StatusCode::CREATED, Json(IdResponse { id })).into_response())
}

pub(super) async fn start(
    State(daemon): Shared,
    Path(id): Path<String>,
    version: ApiVersion,
    peer: Peer,
    mut request: Request,
) -> Result<Response, ApiError> {
    let upgrade =
        hijack::wants_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let JsonBody(mut start) = JsonBody::<StartExec>::from_request(request, &()).await?;
    if version < ApiVersion::new(1, 42) || !start.tty {
        start.console_size = None;
    }
    let keys = daemon.exec_ready(&id)?;
    let keys = start.tty.then(|| streams::keys(Some(&keys))).transpose()?;
    // What the client says now decides how it is answered, not what it said when it created the exec.
    let framing = Framing::of(start.tty);
    if start.detach {
        daemon.start_exec(&id, start, None).await?;
        return Ok(StatusCode::OK.into_response());
    }
    let recorded = Arc::clone(&daemon).exec_recorded(id.clone());
    let Some(upgrade) = upgrade else {
        let streams = std::future::ready(daemon.start_exec(&id, start, None).await?);
        let body = hijack::output_body(framing, Vec::new(), streams, recorded, peer);
        return Ok(hijack::reading(framing, version, body));
    };
    // The head is out before the process runs: its output never arrives with it.
    tokio::spawn(async move {
        let Some(client) = hijack::upgraded(upgrade).await else {
            return;
        };
        let streams = match daemon.start_exec(&id, start, peer.outlet(framing)).await {
            Ok(streams) => std::future::ready(streams),
            Err(error) => {
                let why = error.unrunnable_exec().unwrap_or_else(|| error.to_string());
                return hijack::refuse(client, framing, &why).await;
            }
        };
        let leaving = Leaving { keys, peer };
        let relay = hijack::relay(client, framing, Vec::new(), streams, recorded, leaving);
        if relay.await == End::Detached {
            daemon.exec_detached(&id);
        }
    });
    Ok(hijack::switching(framing, version))
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

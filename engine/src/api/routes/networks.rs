//! Networks.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::api::body::JsonBody;
use crate::api::error::ApiError;
use crate::api::query::Query;
use crate::api::types::{ConnectNetwork, CreateNetwork, DisconnectNetwork};
use crate::daemon::{DaemonError, Filters};

use super::Shared;

pub(super) async fn list(State(daemon): Shared, query: Query) -> Result<Response, ApiError> {
    let known = ["dangling", "driver", "id", "label", "name", "scope", "type"];
    let filters = Filters::parse(query.get("filters"), &known)?;
    Ok(Json(daemon.list_networks(&filters)?).into_response())
}

pub(super) async fn inspect(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    let network = daemon.inspect_network(&id, query.get("scope"))?;
    Ok(Json(network).into_response())
}

/// Not Docker's: the packet rules of all networks, with their purposes and counters.
pub(super) async fn rules(State(daemon): Shared) -> Result<Response, ApiError> {
    Ok(Json(daemon.network_rules().await?).into_response())
}

pub(super) async fn create(
    State(daemon): Shared,
    JsonBody(request): JsonBody<CreateNetwork>,
) -> Result<Response, ApiError> {
    Ok((
        StatusCode::CREATED,
        Json(daemon.create_network(request).await?),
    )
        .into_response())
}

pub(super) async fn remove(
    State(daemon): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    daemon.remove_network(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn connect(
    State(daemon): Shared,
    Path(id): Path<String>,
    JsonBody(request): JsonBody<ConnectNetwork>,
) -> Result<StatusCode, ApiError> {
    daemon.connect_network(&id, request).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn disconnect(
    State(daemon): Shared,
    Path(id): Path<String>,
    JsonBody(request): JsonBody<DisconnectNetwork>,
) -> Result<StatusCode, ApiError> {
    if request.force && daemon.has_terminal(&request.container).is_err() {
        // A container that is gone may have left an endpoint; ours end with their containers.
        daemon.inspect_network(&id, None)?;
        let text = format!("endpoint {} not found", request.container);
        return Err(DaemonError::NotFoundText(text).into());
    }
    daemon.disconnect_network(&id, &request.container).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn prune(State(daemon): Shared, query: Query) -> Result<Response, ApiError> {
    let filters = Filters::parse(query.get("filters"), &["label", "label!", "until"])?;
    Ok(Json(daemon.prune_networks(filters).await?).into_response())
}

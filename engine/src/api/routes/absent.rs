//! What this engine does not have: each family is refused as Docker refuses it.

use axum::Json;
use axum::Router;
use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};

use crate::api::error::ApiError;
use crate::api::hijack;

/// Swarm, plugins, checkpoints and build sessions.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new();
    for family in ["nodes", "services", "tasks", "secrets", "configs"] {
        router = router
            .route(&format!("/{family}"), any(no_manager))
            .route(&format!("/{family}/{{*rest}}"), any(no_manager));
    }
    router
        .route("/swarm", get(no_manager))
        .route("/swarm/leave", post(no_swarm))
        .route("/swarm/init", post(no_swarm_mode))
        .route("/swarm/join", post(no_swarm_mode))
        .route("/swarm/update", post(no_manager))
        .route("/swarm/unlock", post(no_manager))
        .route("/swarm/unlockkey", get(no_manager))
        .route("/plugins", get(no_plugins))
        .route("/plugins/privileges", get(plugins_unsupported))
        .route("/plugins/pull", post(plugins_unsupported))
        .route("/plugins/create", post(plugins_unsupported))
        .route("/plugins/{*rest}", any(no_plugin))
        .route("/containers/{id}/checkpoints", any(experimental))
        .route("/containers/{id}/checkpoints/{name}", any(experimental))
        .route("/session", post(no_session))
        .route("/grpc", post(no_session))
}

pub(super) async fn no_manager() -> ApiError {
    ApiError::unavailable(
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to \
         swarm and try again.",
    )
}

async fn no_swarm() -> ApiError {
    ApiError::unavailable("This node is not part of a swarm")
}

async fn no_swarm_mode() -> ApiError {
    ApiError::unsupported("swarm mode is not supported by this engine")
}

async fn no_plugins() -> Response {
    Json(serde_json::json!([])).into_response()
}

async fn no_plugin(Path(rest): Path<String>) -> ApiError {
    let verbs = ["json", "enable", "disable", "upgrade", "push", "set"];
    let name = match rest.rsplit_once('/') {
        Some((name, verb)) if verbs.contains(&verb) => name,
        _ => &rest,
    };
    ApiError::not_found(format!("plugin \"{name}\" not found"))
}

async fn plugins_unsupported() -> ApiError {
    ApiError::unsupported("plugins are not supported by this engine")
}

async fn experimental() -> ApiError {
    ApiError::unsupported(
        "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to \
         enable it.",
    )
}

/// BuildKit's way in. Builds here are those of the classic builder.
async fn no_session(request: Request) -> ApiError {
    if hijack::wants_upgrade(request.headers()) {
        ApiError::unsupported("BuildKit sessions are not supported by this engine")
    } else {
        ApiError::bad_request("no upgrade proto in request")
    }
}

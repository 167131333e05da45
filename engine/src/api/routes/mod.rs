//! Every URL of the Docker API on one screen.

mod absent;
mod archives;
mod build;
mod containers;
mod exec;
mod files;
mod images;
mod networks;
mod registry;
mod streams;
mod system;
pub mod table;
mod volumes;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};

use crate::daemon::Daemon;

use super::error::ApiError;

/// What routes share.
type Shared = axum::extract::State<Arc<Daemon>>;

/// What Prometheus scrapes, on an address of its own.
pub(crate) fn metrics(daemon: Arc<Daemon>) -> Router {
    Router::new()
        .route("/metrics", get(system::metrics))
        .fallback(async || ApiError::page_not_found())
        .with_state(daemon)
}

/// All routes.
pub(crate) fn router(daemon: Arc<Daemon>) -> Router {
    let system = Router::new()
        .route("/_ping", get(system::ping).head(system::ping))
        .route("/version", get(system::version))
        .route("/info", get(system::info))
        .route("/events", get(system::events))
        .route("/system/df", get(system::disk_usage))
        .route("/auth", post(registry::auth))
        .route("/distribution/{*path}", get(registry::distribution));
    let containers = Router::new()
        .route("/containers/json", get(containers::list))
        .route("/containers/create", post(containers::create))
        .route("/containers/prune", post(containers::prune))
        .route("/containers/{id}", delete(containers::remove))
        .route("/containers/{id}/{alias}", delete(containers::unlink))
        .route("/containers/{id}/json", get(containers::inspect))
        .route("/containers/{id}/start", post(containers::start))
        .route("/containers/{id}/stop", post(containers::stop))
        .route("/containers/{id}/restart", post(containers::restart))
        .route("/containers/{id}/kill", post(containers::kill))
        .route("/containers/{id}/rename", post(containers::rename))
        .route("/containers/{id}/resize", post(containers::resize))
        .route("/containers/{id}/pause", post(containers::pause))
        .route("/containers/{id}/unpause", post(containers::unpause))
        .route("/containers/{id}/update", post(containers::update))
        .route("/containers/{id}/top", get(containers::top))
        .route("/containers/{id}/stats", get(containers::stats))
        .route("/containers/{id}/wait", post(containers::wait))
        .route("/containers/{id}/attach", post(streams::attach))
        .route("/containers/{id}/attach/ws", get(streams::attach_websocket))
        .route("/containers/{id}/logs", get(streams::logs))
        .route("/containers/{id}/exec", post(exec::create))
        .route("/containers/{id}/changes", get(files::changes))
        .route("/containers/{id}/export", get(files::export))
        .route(
            "/containers/{id}/archive",
            get(files::copy_out).head(files::stat).put(files::copy_in),
        )
        .route("/commit", post(archives::commit))
        .route("/build", post(build::build))
        .route("/build/cancel", post(build::cancel))
        .route("/build/export", post(build::export))
        .route("/build/prune", post(system::prune_build_cache))
        .route("/exec/{id}/start", post(exec::start))
        .route("/exec/{id}/json", get(exec::inspect))
        .route("/exec/{id}/resize", post(exec::resize));
    let images = Router::new()
        .route("/images/json", get(images::list))
        .route("/images/create", post(images::create))
        .route("/images/search", get(registry::search))
        .route("/images/prune", post(images::prune))
        // Image names hold slashes, so the verb is the last part of what is caught.
        .route(
            "/images/{*path}",
            get(images::one).post(images::act).delete(images::remove),
        );
    let others = Router::new()
        .route("/networks", get(networks::list))
        .route("/networks/create", post(networks::create))
        .route("/networks/prune", post(networks::prune))
        .route(
            "/networks/{id}",
            get(networks::inspect).delete(networks::remove),
        )
        .route("/networks/{id}/connect", post(networks::connect))
        .route("/networks/{id}/disconnect", post(networks::disconnect))
        .route("/quai/network-rules", get(networks::rules))
        .route("/volumes", get(volumes::list))
        .route("/volumes/create", post(volumes::create))
        .route("/volumes/prune", post(volumes::prune))
        .route(
            "/volumes/{name}",
            get(volumes::inspect)
                .delete(volumes::remove)
                .put(absent::no_manager),
        );
    system
        .merge(containers)
        .merge(images)
        .merge(others)
        .merge(absent::router())
        .fallback(async || ApiError::page_not_found())
        .method_not_allowed_fallback(async || ApiError::page_not_found())
        .with_state(daemon)
}

//! Archives in and out: import, load, save.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;

use crate::api::error::ApiError;
use crate::api::query::Query;
use crate::daemon::{Daemon, DaemonError};

pub(super) async fn import(
    _d: Arc<Daemon>,
    _s: &str,
    _q: &Query,
    _r: Request,
) -> Result<Response, ApiError> {
    Err(DaemonError::Unsupported("import".into()).into())
}
pub(super) async fn load(_d: Arc<Daemon>, _q: &Query, _r: Request) -> Result<Response, ApiError> {
    Err(DaemonError::Unsupported("load".into()).into())
}
pub(super) async fn save(_d: Arc<Daemon>, _names: Vec<String>) -> Result<Response, ApiError> {
    Err(DaemonError::Unsupported("save".into()).into())
}

//! Bodies: JSON in whatever content type a client gives it, and streams out.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::types;

/// No JSON body is larger than this.
const LIMIT: usize = 4 << 20;

/// A JSON body; an empty one means the default.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = axum::body::to_bytes(request.into_body(), LIMIT)
            .await
            .map_err(|error| ApiError::bad_request(format!("cannot read the request: {error}")))?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        types::from_json(&bytes)
            .map(Self)
            .map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))
    }
}

/// One JSON document per line, as it comes.
pub(crate) fn json_lines<T: Serialize>(stream: impl Stream<Item = T> + Send + 'static) -> Response {
    let lines = stream.map(|item| {
        let mut line = serde_json::to_vec(&item).expect("answers are plain data");
        line.extend_from_slice(b"\r\n");
        Ok::<_, Infallible>(Bytes::from(line))
    });
    (
        [(header::CONTENT_TYPE, "application/json")],
        Body::from_stream(lines),
    )
        .into_response()
}

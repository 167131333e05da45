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

/// A JSON body that must be there.
pub(crate) struct RequiredJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = read(request).await?;
        if is_empty(&bytes) {
            return Ok(Self(T::default()));
        }
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for RequiredJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = read(request).await?;
        if is_empty(&bytes) {
            return Err(ApiError::bad_request(
                "invalid JSON: got EOF while reading request body",
            ));
        }
        parse(&bytes).map(Self)
    }
}

/// Reads a whole body that says it is JSON.
async fn read(request: Request) -> Result<Bytes, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).cloned();
    let bytes = axum::body::to_bytes(request.into_body(), LIMIT)
        .await
        .map_err(|error| ApiError::bad_request(format!("cannot read the request: {error}")))?;
    let kind = kind.as_ref().map(|kind| kind.to_str().unwrap_or_default());
    match kind {
        None if is_empty(&bytes) => Ok(bytes),
        None => Err(ApiError::bad_request(
            "malformed Content-Type header (): mime: no media type",
        )),
        Some(kind) => {
            let media = kind.split(';').next().unwrap_or_default().trim();
            if media.eq_ignore_ascii_case("application/json") || is_empty(&bytes) {
                return Ok(bytes);
            }
            Err(ApiError::bad_request(format!(
                "unsupported Content-Type header ({kind}): must be 'application/json'"
            )))
        }
    }
}

fn is_empty(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// Reads JSON; why it is none is told in Docker's words where it has its own.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| {
        ApiError::bad_request(if error.is_eof() {
            "invalid JSON: unexpected EOF".to_owned()
        } else if error.to_string().starts_with("trailing characters") {
            "unexpected content after JSON".to_owned()
        } else {
            format!("invalid JSON: {error}")
        })
    })?;
    types::from_value(json).map_err(|error| {
        ApiError::bad_request(format!("invalid JSON: json: cannot unmarshal: {error}"))
    })
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

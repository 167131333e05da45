//! Images in and out of archives and containers: import, load, save, commit.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::error::ApiError;
use crate::api::pipe::{BodyReader, BodyWriter};
use crate::api::query::Query;
use crate::api::types::IdResponse;
use crate::daemon::{CommitOptions, Daemon, DaemonError, ProgressSink};
use crate::image::Reference;

use super::Shared;
use super::images::{failure, progress_lines};

/// `name[:tag]` out of two parameters; none when the first is missing.
fn reference(name: Option<&str>, tag: Option<&str>) -> Result<Option<Reference>, ApiError> {
    let Some(name) = name else { return Ok(None) };
    let text = tag.map_or_else(|| name.to_owned(), |tag| format!("{name}:{tag}"));
    Ok(Some(Reference::parse(&text).map_err(DaemonError::from)?))
}

pub(super) async fn import(
    daemon: Arc<Daemon>,
    source: &str,
    query: &Query,
    request: Request,
) -> Result<Response, ApiError> {
    let name = reference(query.get("repo"), query.get("tag"))?;
    let (changes, message) = (
        query.all("changes"),
        query.get("message").unwrap_or_default().to_owned(),
    );
    let address = (source != "-").then(|| source.to_owned());
    let archive = BodyReader::new(request.into_body());
    let (sink, progress) = ProgressSink::new();
    tokio::spawn(async move {
        let told = sink.clone();
        let done = match address {
            Some(address) => {
                daemon
                    .import_from(address, name, changes, message, told)
                    .await
            }
            None => daemon.import(name, changes, message, archive, told).await,
        };
        if let Err(error) = done {
            sink.send(failure(&error));
        }
    });
    Ok(progress_lines(progress))
}

pub(super) async fn load(
    daemon: Arc<Daemon>,
    _query: &Query,
    request: Request,
) -> Result<Response, ApiError> {
    let archive = BodyReader::new(request.into_body());
    let (sink, progress) = ProgressSink::new();
    tokio::spawn(async move {
        if let Err(error) = daemon.load_images(archive, sink.clone()).await {
            sink.send(failure(&error));
        }
    });
    Ok(progress_lines(progress))
}

pub(super) async fn save(daemon: Arc<Daemon>, names: Vec<String>) -> Result<Response, ApiError> {
    daemon.check_images(names.clone()).await?;
    let (writer, body, breaker) = BodyWriter::new();
    tokio::spawn(async move {
        if let Err(error) = daemon.save_images(names, writer).await {
            breaker.fail(error.to_string()).await;
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}

pub(super) async fn commit(State(daemon): Shared, query: Query) -> Result<Response, ApiError> {
    let container = query
        .get("container")
        .ok_or_else(|| ApiError::bad_request("container is missing"))?;
    let options = CommitOptions {
        name: reference(query.get("repo"), query.get("tag"))?,
        comment: query.get("comment").unwrap_or_default().to_owned(),
        author: query.get("author").unwrap_or_default().to_owned(),
        changes: query
            .all("changes")
            .iter()
            .flat_map(|lines| lines.lines())
            .map(str::to_owned)
            .collect(),
        pause: query.get("pause").is_none() || query.flag("pause"),
    };
    let id = daemon.commit(container, options).await?.to_string();
    Ok((StatusCode::CREATED, Json(IdResponse { id })).into_response())
}

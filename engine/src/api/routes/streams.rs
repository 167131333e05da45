//! Attach and logs: what a container prints and reads.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::response::Response;

use crate::api::error::ApiError;
use crate::api::hijack::{self, Framing};
use crate::api::query::Query;
use crate::daemon::{AttachOptions, LogLine, LogOptions, parse_time};

use super::Shared;

pub(super) async fn attach(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
    mut request: Request,
) -> Result<Response, ApiError> {
    let options = AttachOptions {
        logs: query.flag("logs"),
        stream: query.flag("stream"),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
    };
    let mut attached = daemon.attach(&id, options).await?;
    let framing = Framing::of(attached.tty);
    let past = std::mem::take(&mut attached.past);
    // Whoever wants a container's exit code asks `wait` for it.
    let recorded = std::future::ready(());
    if !hijack::wants_upgrade(request.headers()) {
        return Ok(hijack::reading(
            framing,
            hijack::output_body(framing, past, attached.streams(), recorded),
        ));
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let relay = hijack::relay(upgrade, framing, past, attached.streams(), recorded);
    tokio::spawn(relay);
    Ok(hijack::switching(framing))
}

pub(super) async fn logs(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    let time = |name: &str| match query.get(name) {
        None | Some("0") => Ok(None),
        Some(text) => parse_time(text).map(Some),
    };
    let options = LogOptions {
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        follow: query.flag("follow"),
        since: time("since")?,
        until: time("until")?,
        tail: query.get("tail").and_then(|tail| tail.parse().ok()),
    };
    let framing = Framing::of(daemon.has_terminal(&id)?);
    let (lines, timestamps) = (daemon.logs(&id, options).await?, query.flag("timestamps"));
    let body = futures_util::stream::unfold(lines, move |mut lines| async move {
        let mut line = lines.recv().await?;
        if timestamps {
            line.text.insert_str(0, &stamp(&line));
        }
        Some((
            Ok::<Bytes, std::convert::Infallible>(framing.log(&line)),
            lines,
        ))
    });
    Ok(hijack::reading(framing, Body::from_stream(body)))
}

/// Nine digits always, so that columns stay aligned.
fn stamp(line: &LogLine) -> String {
    format!("{} ", line.time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ"))
}

//! Attach and logs: what a container prints and reads.

use axum::body::{Body, Bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use futures_util::StreamExt;

use crate::api::detach::DetachKeys;
use crate::api::error::ApiError;
use crate::api::hijack::{self, End, Framing, Leaving};
use crate::api::peer::Peer;
use crate::api::query::Query;
use crate::api::version::ApiVersion;
use crate::api::websocket;
use crate::daemon::{AttachOptions, LogLine, LogOptions, parse_time};

use super::Shared;

fn options(query: &Query) -> AttachOptions {
    AttachOptions {
        logs: query.flag("logs"),
        stream: query.flag("stream"),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
    }
}

/// The keys that leave a terminal.
pub(super) fn keys(text: Option<&str>) -> Result<DetachKeys, ApiError> {
    DetachKeys::parse(text.unwrap_or_default())
        .map_err(|error| ApiError::bad_request(error.to_string()))
}

pub(super) async fn attach(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
    version: ApiVersion,
    peer: Peer,
    mut request: Request,
) -> Result<Response, ApiError> {
    let keys = keys(query.get("detachKeys"))?;
    let mut attached = daemon.attach(&id, options(&query)).await?;
    let framing = Framing::of(attached.tty);
    let keys = attached.tty.then_some(keys);
    let past = std::mem::take(&mut attached.past);
    // Whoever wants a container's exit code asks `wait` for it.
    let recorded = std::future::ready(());
    if !hijack::wants_upgrade(request.headers()) {
        let body = hijack::output_body(framing, past, attached.streams(), recorded, peer);
        return Ok(hijack::reading(framing, version, body));
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Some(client) = hijack::upgraded(upgrade).await else {
            return;
        };
        // What was printed before comes first, and from here.
        if past.is_empty()
            && let Some(outlet) = peer.outlet(framing)
        {
            attached.write_directly(outlet);
        }
        let leaving = Leaving { keys, peer };
        let relay = hijack::relay(client, framing, past, attached.streams(), recorded, leaving);
        if relay.await == End::Detached {
            daemon.detached(&id);
        }
    });
    Ok(hijack::switching(framing, version))
}

/// The same over a websocket, whose messages carry bytes as they are.
pub(super) async fn attach_websocket(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let attached = daemon.attach(&id, options(&query)).await?;
    Ok(upgrade.on_upgrade(|socket| websocket::relay(socket, attached)))
}

pub(super) async fn logs(
    State(daemon): Shared,
    Path(id): Path<String>,
    query: Query,
    version: ApiVersion,
    peer: Peer,
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
    let details = query.flag("details");
    let body = futures_util::stream::unfold(lines, move |mut lines| async move {
        let mut line = lines.recv().await?;
        if details {
            line.text.insert_str(0, &shown_attributes(&line));
        }
        if timestamps {
            line.text.insert_str(0, &stamp(&line));
        }
        Some((
            Ok::<Bytes, std::convert::Infallible>(hijack::log(framing, &line)),
            lines,
        ))
    });
    let body = body.take_until(Box::pin(peer.gone()));
    Ok(hijack::reading(framing, version, Body::from_stream(body)))
}

/// `a=b,c=d ` of `--details`; a space alone where there is nothing.
fn shown_attributes(line: &LogLine) -> String {
    let pairs = line.attributes.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(",") + " "
}

/// Nine digits always, so that columns stay aligned.
fn stamp(line: &LogLine) -> String {
    format!("{} ", line.time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ"))
}

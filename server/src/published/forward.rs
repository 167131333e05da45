//! One request over one connection to a learner's program: streamed both ways, nothing held.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, Uri, Version};
use axum::response::Response;
use hyper::client::conn::http1;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::headers;
use super::refusal::Refusal;
use crate::error::chain;

/// How long a program may think before its answer begins; the answer itself may last.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest head of an answer.
const LONGEST_HEAD: usize = 64 * 1024;

/// Sends `request` to the program behind `stream` and gives its answer back; `held` is kept until
/// the connection has ended.
pub(super) async fn forward<T: Send + Sync + 'static>(
    stream: TcpStream,
    mut request: Request,
    held: T,
) -> Result<Response, Refusal> {
    let held = Arc::new(held);
    let websocket = headers::wants_websocket(request.headers());
    let browser = websocket.then(|| hyper::upgrade::on(&mut request));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LONGEST_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Refusal::Http)?;
    // A connection that is upgraded ends for its own task, and goes on in the tunnel.
    let for_tunnel = Arc::clone(&held);
    tokio::spawn(async move {
        // What it says is said to who waits for the answer.
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(error = %chain(&error), "a published port's connection broke");
        }
        drop(held);
    });
    let sent = timeout(PATIENCE, sender.send_request(inward(request, websocket))).await;
    let mut response = sent
        .map_err(|_| Refusal::Silent)?
        .map_err(Refusal::Http)?
        .map(Body::new);
    let program = hyper::upgrade::on(&mut response);
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let upgrades = headers::wants_websocket(response.headers());
    headers::outward(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    match browser {
        Some(browser) if switched && upgrades => {
            headers::say_websocket(response.headers_mut());
            tokio::spawn(async move {
                tunnel(browser, program).await;
                drop(for_tunnel);
            });
            Ok(response)
        }
        // Nobody asked for it, or something else was asked for.
        _ if switched => Err(Refusal::Switched),
        _ => Ok(response),
    }
}

/// The request as the program shall see it: its path, its own headers, its body as it comes.
fn inward(request: Request, websocket: bool) -> Request {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().cloned();
    parts.uri = path.map_or_else(Uri::default, Uri::from);
    parts.version = Version::HTTP_11;
    headers::inward(&mut parts.headers);
    if websocket {
        headers::say_websocket(&mut parts.headers);
    }
    parts.extensions.clear();
    Request::from_parts(parts, body)
}

/// Carries bytes both ways until both sides have ended.
async fn tunnel(browser: OnUpgrade, program: OnUpgrade) {
    let both = tokio::try_join!(browser, program);
    let Ok((browser, program)): Result<(Upgraded, Upgraded), _> = both else {
        return;
    };
    let (mut browser, mut program) = (TokioIo::new(browser), TokioIo::new(program));
    // Either side may leave at any moment: that is how a socket ends.
    let _ended = tokio::io::copy_bidirectional(&mut browser, &mut program).await;
}

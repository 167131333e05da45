//! Connections that stop being HTTP: attach and exec.
//!
//! With `Connection: Upgrade` the answer is 101 and both directions are free. With a terminal the output is raw;
//! without one each piece has an 8-byte head: stream (1 output, 2 error), three zeros, length (big endian).

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::oneshot;

use crate::daemon::{LogLine, Output, StreamReader, StreamWriter};
pub(crate) use crate::runtime::handshake::Framing;

use super::detach::{DetachKeys, Typed};
use super::peer::Peer;
use super::version::ApiVersion;

/// Some clients read the head of the answer through a buffer and lose what comes along with it.
const AFTER_HEAD: Duration = Duration::from_millis(20);

/// Until 1.42 every stream was called raw.
fn media_type(framing: Framing, version: ApiVersion) -> &'static str {
    if framing == Framing::Multiplexed && version >= ApiVersion::new(1, 42) {
        "application/vnd.docker.multiplexed-stream"
    } else {
        "application/vnd.docker.raw-stream"
    }
}

/// A line of a log as the client reads it.
pub(crate) fn log(framing: Framing, line: &LogLine) -> Bytes {
    framing.frame(line.is_stderr, line.text.as_bytes()).into()
}

fn piece(framing: Framing, output: &Output) -> Option<Bytes> {
    match output {
        Output::Stdout(bytes) => Some(framing.frame(false, bytes).into()),
        Output::Stderr(bytes) => Some(framing.frame(true, bytes).into()),
        Output::Exited(_) => None,
    }
}

/// Whether the client asked for another protocol.
pub(crate) fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

/// The answer that begins a hijacked connection.
pub(crate) fn switching(framing: Framing, version: ApiVersion) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type(framing, version)),
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "tcp"),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

/// The answer for a client that only reads.
pub(crate) fn reading(framing: Framing, version: ApiVersion, body: Body) -> Response {
    ([(header::CONTENT_TYPE, media_type(framing, version))], body).into_response()
}

/// The connection, once the head of the answer is out; `None` when the client has left.
pub(crate) async fn upgraded(upgrade: OnUpgrade) -> Option<TokioIo<Upgraded>> {
    upgrade
        .await
        .inspect_err(|error| tracing::debug!("the client left before its stream began: {error}"))
        .ok()
        .map(TokioIo::new)
}

/// Says why there is no process, and closes.
pub(crate) async fn refuse(mut client: TokioIo<Upgraded>, framing: Framing, why: &str) {
    let text = framing.frame(false, format!("{why}\r\n").as_bytes());
    // The client has left: nobody wants to know.
    let _ = client.write_all(&text).await;
    let _ = client.shutdown().await;
}

/// How a client can leave a process that goes on.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// The keys that leave, where there is a terminal.
    pub(crate) keys: Option<DetachKeys>,
    /// The other end of the connection.
    pub(crate) peer: Peer,
}

/// Why a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// There is no process any more, or no client.
    Over,
    /// The client left with its keys.
    Detached,
}

/// Relays between a client and a process until the process has ended or the client has gone.
///
/// The client hears of a process's end only when `recorded` is done.
pub(crate) async fn relay(
    client: TokioIo<Upgraded>,
    framing: Framing,
    past: Vec<LogLine>,
    streams: impl Future<Output = Option<(StreamReader, StreamWriter)>>,
    recorded: impl Future<Output = ()>,
    leaving: Leaving,
) -> End {
    let (from_client, mut to_client) = tokio::io::split(client);
    if !past.is_empty() {
        tokio::time::sleep(AFTER_HEAD).await;
    }
    for line in past {
        if to_client.write_all(&log(framing, &line)).await.is_err() {
            return End::Over;
        }
    }
    let mut gone = Box::pin(leaving.peer.gone());
    let streams = tokio::select! {
        streams = streams => streams,
        () = &mut gone => None,
    };
    let Some((mut output, input)) = streams else {
        // There is no process: the client sees the end of the stream.
        let _ = to_client.shutdown().await;
        return End::Over;
    };
    let (detach, detached) = oneshot::channel();
    let feeding = tokio::spawn(feed(from_client, input, leaving.keys, detach));
    let end = tokio::select! {
        () = show(framing, &mut output, &mut to_client, recorded) => End::Over,
        Ok(()) = detached => End::Detached,
        () = &mut gone => End::Over,
    };
    // Dropping the writing half detaches; the end of the output tells the client.
    feeding.abort();
    let _ = to_client.shutdown().await;
    end
}

/// From the client to the process.
async fn feed(
    mut from_client: ReadHalf<TokioIo<Upgraded>>,
    mut input: StreamWriter,
    mut keys: Option<DetachKeys>,
    detach: oneshot::Sender<()>,
) {
    let mut buffer = vec![0; 32 << 10];
    loop {
        let count = match from_client.read(&mut buffer).await {
            Ok(count) if count > 0 => count,
            Ok(_) => {
                // The client has nothing more to send, but goes on reading: keep `input`, which is the attachment.
                if input.close_stdin().await.is_ok() {
                    std::future::pending::<()>().await;
                }
                return;
            }
            Err(_) => return,
        };
        let sent = match keys.as_mut().map(|keys| keys.feed(&buffer[..count])) {
            None => input.stdin(&buffer[..count]).await,
            Some(Typed::Input(bytes)) if bytes.is_empty() => Ok(()),
            Some(Typed::Input(bytes)) => input.stdin(&bytes).await,
            Some(Typed::Detach) => {
                // Whoever relays may have ended at the same moment.
                let _ = detach.send(());
                return std::future::pending().await;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// From the process to the client, until the end of either.
async fn show(
    framing: Framing,
    output: &mut StreamReader,
    to_client: &mut WriteHalf<TokioIo<Upgraded>>,
    recorded: impl Future<Output = ()>,
) {
    loop {
        match output.next().await {
            Ok(Some(Output::Exited(_))) => return recorded.await,
            Ok(None) => return,
            Ok(Some(output)) => {
                let Some(bytes) = piece(framing, &output) else {
                    continue;
                };
                if to_client.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!("the stream of a process broke: {error}");
                return;
            }
        }
    }
}

/// The output of a process as a body, for clients that do not upgrade.
pub(crate) fn output_body(
    framing: Framing,
    past: Vec<LogLine>,
    streams: impl Future<Output = Option<(StreamReader, StreamWriter)>> + Send + 'static,
    recorded: impl Future<Output = ()> + Send + 'static,
    peer: Peer,
) -> Body {
    let (give, take) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(16);
    tokio::spawn(async move {
        for line in past {
            if give.send(Ok(log(framing, &line))).await.is_err() {
                return;
            }
        }
        let Some((mut output, _input)) = streams.await else {
            return;
        };
        while let Ok(Some(printed)) = output.next().await {
            let Some(bytes) = piece(framing, &printed) else {
                recorded.await;
                return;
            };
            if give.send(Ok(bytes)).await.is_err() {
                return;
            }
        }
    });
    let pieces = futures_util::stream::unfold(take, |mut take| async {
        take.recv().await.map(|item| (item, take))
    });
    Body::from_stream(pieces.take_until(Box::pin(peer.gone())))
}

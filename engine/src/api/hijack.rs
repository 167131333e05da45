//! Connections that stop being HTTP: attach and exec.
//!
//! With `Connection: Upgrade` the answer is 101 and both directions are free. With a terminal the output is raw;
//! without one each piece has an 8-byte head: stream (1 output, 2 error), three zeros, length (big endian).

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::daemon::{LogLine, Output, StreamReader, StreamWriter};

/// How output travels to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// As it is (terminals).
    Raw,
    /// With heads.
    Multiplexed,
}

impl Framing {
    /// A terminal has only one stream.
    pub(crate) fn of(tty: bool) -> Self {
        if tty { Self::Raw } else { Self::Multiplexed }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Raw => "application/vnd.docker.raw-stream",
            Self::Multiplexed => "application/vnd.docker.multiplexed-stream",
        }
    }

    /// One piece of output as the client reads it.
    pub(crate) fn frame(self, stream: u8, bytes: &[u8]) -> Bytes {
        if self == Self::Raw {
            return Bytes::copy_from_slice(bytes);
        }
        let length = u32::try_from(bytes.len()).expect("pieces are at most a megabyte");
        let mut framed = Vec::with_capacity(bytes.len() + 8);
        framed.extend_from_slice(&[stream, 0, 0, 0]);
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(bytes);
        framed.into()
    }

    /// A line of a log as the client reads it.
    pub(crate) fn log(self, line: &LogLine) -> Bytes {
        self.frame(if line.is_stderr { 2 } else { 1 }, line.text.as_bytes())
    }

    fn output(self, output: &Output) -> Option<Bytes> {
        match output {
            Output::Stdout(bytes) => Some(self.frame(1, bytes)),
            Output::Stderr(bytes) => Some(self.frame(2, bytes)),
            Output::Exited(_) => None,
        }
    }
}

/// Whether the client asked for another protocol.
pub(crate) fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

/// The answer that begins a hijacked connection.
pub(crate) fn switching(framing: Framing) -> Response {
    let headers = [
        (header::CONTENT_TYPE, framing.media_type()),
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "tcp"),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

/// The answer for a client that only reads.
pub(crate) fn reading(framing: Framing, body: Body) -> Response {
    ([(header::CONTENT_TYPE, framing.media_type())], body).into_response()
}

/// Relays between a client and a process until the process has ended or the client has gone.
///
/// The client hears of a process's end only when `recorded` is done.
pub(crate) async fn relay(
    upgrade: OnUpgrade,
    framing: Framing,
    past: Vec<LogLine>,
    streams: impl Future<Output = Option<(StreamReader, StreamWriter)>>,
    recorded: impl Future<Output = ()>,
) {
    let client = match upgrade.await {
        Ok(client) => TokioIo::new(client),
        Err(error) => {
            tracing::debug!("the client left before its stream began: {error}");
            return;
        }
    };
    let (mut from_client, mut to_client) = tokio::io::split(client);
    for line in past {
        if to_client.write_all(&framing.log(&line)).await.is_err() {
            return;
        }
    }
    let Some((mut output, mut input)) = streams.await else {
        // There is no process: the client sees the end of the stream.
        let _ = to_client.shutdown().await;
        return;
    };
    let feeding = tokio::spawn(async move {
        let mut buffer = vec![0; 32 << 10];
        loop {
            match from_client.read(&mut buffer).await {
                Ok(count) if count > 0 => {
                    if input.stdin(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {
                    // The client has nothing more to send, but goes on reading: keep `input`, which is the attachment.
                    if input.close_stdin().await.is_ok() {
                        std::future::pending::<()>().await;
                    }
                    return;
                }
                Err(_) => return,
            }
        }
    });
    loop {
        match output.next().await {
            Ok(Some(Output::Exited(_))) => {
                recorded.await;
                break;
            }
            Ok(None) => break,
            Ok(Some(output)) => {
                let Some(bytes) = framing.output(&output) else {
                    continue;
                };
                if to_client.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                tracing::debug!("the stream of a process broke: {error}");
                break;
            }
        }
    }
    // Dropping the writing half detaches; the end of the output tells the client.
    feeding.abort();
    let _ = to_client.shutdown().await;
}

/// The output of a process as a body, for clients that do not upgrade.
pub(crate) fn output_body(
    framing: Framing,
    past: Vec<LogLine>,
    streams: impl Future<Output = Option<(StreamReader, StreamWriter)>> + Send + 'static,
    recorded: impl Future<Output = ()> + Send + 'static,
) -> Body {
    let (give, take) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(16);
    tokio::spawn(async move {
        for line in past {
            if give.send(Ok(framing.log(&line))).await.is_err() {
                return;
            }
        }
        let Some((mut output, _input)) = streams.await else {
            return;
        };
        while let Ok(Some(piece)) = output.next().await {
            let Some(bytes) = framing.output(&piece) else {
                recorded.await;
                return;
            };
            if give.send(Ok(bytes)).await.is_err() {
                return;
            }
        }
    });
    Body::from_stream(futures_util::stream::unfold(take, |mut take| async {
        take.recv().await.map(|item| (item, take))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_a_head_unless_raw() {
        assert_eq!(
            &Framing::Multiplexed.frame(2, b"hi")[..],
            b"\x02\0\0\0\0\0\0\x02hi"
        );
        assert_eq!(&Framing::Raw.frame(2, b"hi")[..], b"hi");
    }
}

//! Attaching over a websocket, for clients in browsers.

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt, StreamExt};

use crate::daemon::{Attached, Output};

/// Relays messages and the streams of a container until either ends.
pub(crate) async fn relay(socket: WebSocket, mut attached: Attached) {
    let past = std::mem::take(&mut attached.past);
    let (mut to_client, mut from_client) = socket.split();
    for line in past {
        let message = Message::Binary(Bytes::from(line.text));
        if to_client.send(message).await.is_err() {
            return;
        }
    }
    let Some((mut output, mut input)) = attached.streams().await else {
        // The client sees the end either way.
        let _ = to_client.close().await;
        return;
    };
    let feeding = async move {
        while let Some(Ok(message)) = from_client.next().await {
            let bytes = match message {
                Message::Binary(bytes) => bytes,
                Message::Text(text) => Bytes::from(text),
                Message::Close(_) => return,
                Message::Ping(_) | Message::Pong(_) => continue,
            };
            if input.stdin(&bytes).await.is_err() {
                return;
            }
        }
    };
    let showing = async {
        while let Ok(Some(Output::Stdout(bytes) | Output::Stderr(bytes))) = output.next().await {
            if to_client.send(Message::Binary(bytes.into())).await.is_err() {
                return;
            }
        }
        let _ = to_client.close().await;
    };
    tokio::select! {
        () = feeding => {}
        () = showing => {}
    }
}

//! The live check list: one websocket per tab, one JSON message per change.

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use labs::protocol::Request;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

use super::seat::Seat;
use super::verdicts::{self, PageMessage};
use crate::app::Shared;
use crate::error::{Failure, chain};
use crate::session::Learner;
use crate::session::watches::{Snapshot, Watch};

/// An answer is a line; anything longer is not ours.
const MESSAGE_LIMIT: usize = 4 * 1024;

/// `GET /tp/{module}/{tp}/checks`.
pub(crate) async fn socket(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Path(seat): Path<Seat>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Failure> {
    let watch = app.watches.join(&learner, seat.exercise(&app)?).await?;
    let upgrade = upgrade
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT);
    Ok(upgrade.on_upgrade(move |socket| serve(socket, watch)))
}

async fn serve(mut socket: WebSocket, watch: Arc<Watch>) {
    let (snapshot, mut news) = watch.listen();
    if send_all(&mut socket, snapshot).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            next = news.recv() => {
                let sent = match next {
                    Ok(news) => send(&mut socket, &verdicts::message(&news)).await,
                    // The tab fell behind: it is told everything again.
                    Err(RecvError::Lagged(_)) => {
                        let (snapshot, again) = watch.listen();
                        news = again;
                        send_all(&mut socket, snapshot).await
                    }
                    Err(RecvError::Closed) => return,
                };
                if sent.is_err() {
                    return;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let Ok(request) = serde_json::from_str::<Request>(&text) else {
                        tracing::warn!("a tab sent what is not a request");
                        return;
                    };
                    if let Err(error) = watch.ask(request).await {
                        tracing::error!(error = %chain(&error), "an answer was not stored");
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

async fn send_all(socket: &mut WebSocket, snapshot: Snapshot) -> Result<(), axum::Error> {
    for message in verdicts::messages(&snapshot) {
        send(socket, &message).await?;
    }
    Ok(())
}

async fn send(socket: &mut WebSocket, message: &PageMessage) -> Result<(), axum::Error> {
    let text = serde_json::to_string(message).expect("text and lists of text are JSON");
    socket.send(Message::Text(text.into())).await
}

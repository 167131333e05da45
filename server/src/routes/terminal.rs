//! A terminal of the learner's machine: one websocket each, carried by `session::relay`.

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use labs::exercise::Exercise;
use serde::Deserialize;
use serde_json::json;

use super::seat::Seat;
use crate::app::Shared;
use crate::error::{Failure, chain};
use crate::machine::keeper::opening::is_terminal_name;
use crate::session::relay::{self, Asked, RelayError, Wanted};
use crate::session::{Learner, LearnerId};

/// The end of the address.
#[derive(Debug, Deserialize)]
pub(crate) struct Terminal {
    name: String,
}

/// `GET /tp/{module}/{tp}/terminal/{name}?cols&rows&resume`.
pub(crate) async fn socket(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Path(seat): Path<Seat>,
    Path(Terminal { name }): Path<Terminal>,
    Query(asked): Query<Asked>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Failure> {
    // Courses do not change while the server runs; the socket outlives the borrow.
    let exercise = seat.exercise(&app)?.clone();
    if !is_terminal_name(&name) {
        return Err(Failure::NotFound);
    }
    let wanted = asked.wanted(&name);
    Ok(relay::limited(upgrade).on_upgrade(async move |browser| {
        serve(&app, &learner, &exercise, &wanted, browser).await;
    }))
}

/// The machine is held for as long as somebody looks at one of its terminals.
async fn serve(
    app: &Shared,
    learner: &LearnerId,
    exercise: &Exercise,
    wanted: &Wanted,
    mut browser: WebSocket,
) {
    relay::tell(&mut browser, &json!({ "machine": "starting" })).await;
    let lease = match app.pool.lease(learner, exercise).await {
        Ok(lease) => lease,
        Err(error) => {
            let tp = &exercise.id;
            tracing::warn!(error = %chain(&error), tp, "no machine for a terminal");
            let why = format!("{} : {}. {}", error.what, error.why, error.remedy);
            return relay::refuse(browser, &json!({ "machine": "failed", "why": why })).await;
        }
    };
    let ended = match relay::open(&lease.socket(), wanted).await {
        Ok(keeper) => relay::run(browser, keeper).await,
        Err(error) => {
            relay::refuse(browser, &json!({ "machine": "stopped" })).await;
            Err(error)
        }
    };
    match ended {
        Ok(()) | Err(RelayError::BrowserGone) => {}
        Err(error) => {
            let tp = &exercise.id;
            tracing::warn!(error = %chain(&error), tp, "a terminal's socket was closed");
        }
    }
}

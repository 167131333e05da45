//! A terminal of the learner's machine: one websocket each, carried by `session::relay`.

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::json;

use crate::app::Shared;
use crate::error::{Failure, chain};
use crate::machine::keeper::opening::is_terminal_name;
use crate::machine::pool::{Lease, MachineError};
use crate::session::relay::{self, Asked, RelayError, Wanted};
use crate::session::{Learner, LearnerId};

/// `GET /tp/{module}/{tp}/terminal/{name}?cols&rows&resume`.
pub(crate) async fn socket(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Path((module, tp, name)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Failure> {
    if app.course.tp(&module, &tp).is_none() || !is_terminal_name(&name) {
        return Err(Failure::NotFound);
    }
    let wanted = asked.wanted(&name);
    Ok(relay::limited(upgrade).on_upgrade(async move |browser| {
        serve(&app, &learner, (&module, &tp), &wanted, browser).await;
    }))
}

/// The machine is held for as long as somebody looks at one of its terminals.
async fn serve(
    app: &Shared,
    learner: &LearnerId,
    (module, tp): (&str, &str),
    wanted: &Wanted,
    mut browser: WebSocket,
) {
    relay::tell(&mut browser, &json!({ "machine": "starting" })).await;
    let lease = match lease(app, learner, module, tp).await {
        Ok(lease) => lease,
        Err(error) => {
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
        Err(error) => tracing::warn!(error = %chain(&error), tp, "a terminal's socket was closed"),
    }
}

async fn lease(
    app: &Shared,
    learner: &LearnerId,
    module: &str,
    tp: &str,
) -> Result<Lease, MachineError> {
    let tp = app
        .course
        .tp(module, tp)
        .expect("the route looked it up, and the course does not change");
    app.pool.lease(learner, &tp.exercise).await
}

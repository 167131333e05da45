//! Actions on the learner's machine.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::app::Shared;
use crate::error::{Failure, chain};
use crate::session::Learner;

/// `POST /tp/{module}/{tp}/recommencer`: the machine and its verdicts start again.
pub(crate) async fn reset(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Path((module, tp)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let exercise = &app
        .course
        .tp(&module, &tp)
        .ok_or(Failure::NotFound)?
        .exercise;
    let pause = app.watches.restart(&learner, exercise).await?;
    let done = app.pool.reset(&learner, exercise).await;
    drop(pause);
    match done {
        Ok(_lease) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(error) => {
            tracing::warn!(error = %chain(&error), exercise = exercise.id, "reset failed");
            Err(error.into())
        }
    }
}

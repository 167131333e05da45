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
    let tp = app.course.tp(&module, &tp).ok_or(Failure::NotFound)?;
    // Every machine of the exercise, and all verdicts before the first of them.
    let mut pauses = Vec::new();
    for part in &tp.parts {
        pauses.push(app.watches.restart(&learner, part).await?);
    }
    for part in &tp.parts {
        if let Err(error) = app.pool.reset(&learner, part).await {
            tracing::warn!(error = %chain(&error), exercise = part.id, "reset failed");
            return Err(error.into());
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

//! Waiting for a container to be what another one needs.

use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use super::scope::Container;
use crate::cli::Session;
use crate::cli::client::{Payload, collect};
use crate::cli::error::CliError;
use crate::cli::path::Query;
use crate::compose::service::Condition;

/// How often health is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Returns when `container` has reached `condition`; an error when it no longer can.
pub(super) async fn reach(
    session: &Session,
    container: &Container,
    condition: Condition,
) -> Result<(), CliError> {
    match condition {
        Condition::ServiceStarted => Ok(()),
        Condition::ServiceHealthy => healthy(session, container).await,
        Condition::ServiceCompletedSuccessfully => match exit_code(session, &container.id).await? {
            0 => Ok(()),
            code => Err(CliError::Said(format!(
                "service \"{}\" didn't complete successfully: exit {code}",
                container.service
            ))),
        },
    }
}

async fn healthy(session: &Session, container: &Container) -> Result<(), CliError> {
    let query = Query::new(&["containers", &container.id, "json"]);
    loop {
        let state = session.client.get(&query).await?["State"].take();
        match state["Health"]["Status"].as_str() {
            Some("healthy") => return Ok(()),
            Some("unhealthy") => {
                return Err(CliError::Said(format!(
                    "dependency failed to start: container {} is unhealthy",
                    container.name
                )));
            }
            None if state["Running"] == true => {
                return Err(CliError::Said(format!(
                    "dependency failed to start: container {} has no healthcheck configured",
                    container.name
                )));
            }
            _ if state["Running"] != true && state["Restarting"] != true => {
                return Err(CliError::Said(format!(
                    "dependency failed to start: container {} exited ({})",
                    container.name, state["ExitCode"]
                )));
            }
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What `up --wait` waits for: health where it is tested, else a running process.
pub(super) async fn up(session: &Session, container: &Container) -> Result<(), CliError> {
    let query = Query::new(&["containers", &container.id, "json"]);
    let state = session.client.get(&query).await?["State"].take();
    if state["Health"].is_object() {
        return healthy(session, container).await;
    }
    match (&state["Running"], &state["ExitCode"]) {
        (Value::Bool(true), _) => Ok(()),
        (_, code) if code == 0 => Ok(()),
        (_, code) => Err(CliError::Said(format!(
            "container {} exited ({code})",
            container.name
        ))),
    }
}

/// The exit code of a container, now or when it ends.
pub(super) async fn exit_code(session: &Session, id: &str) -> Result<i64, CliError> {
    let query = Query::new(&["containers", id, "wait"]);
    let response = session
        .client
        .send(Method::POST, &query, Payload::Empty)
        .await?;
    let body = collect(&query, response).await?;
    let answer: Value = serde_json::from_slice(&body).map_err(|error| CliError::Nonsense {
        doing: query.as_str().to_owned(),
        why: error.to_string(),
    })?;
    Ok(answer["StatusCode"].as_i64().unwrap_or(125))
}

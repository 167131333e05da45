//! « Ouvrir »: from an exercise's page to what the learner's machine publishes.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;

use super::seat::Seat;
use crate::app::Shared;
use crate::error::Failure;
use crate::machine::identity::MachineId;
use crate::published::{self, address::Address, pass};
use crate::session::Learner;
use crate::session::cookie::Token;

/// The end of the address.
#[derive(Debug, Deserialize)]
pub(crate) struct Port {
    port: u16,
}

/// `GET /tp/{module}/{tp}/ouvrir/{port}`: leads to the port's own origin, with a ticket for it.
pub(crate) async fn port(
    State(app): State<Shared>,
    Learner(learner): Learner,
    Path(seat): Path<Seat>,
    Path(Port { port }): Path<Port>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let exercise = seat.exercise(&app)?;
    // A session that this very request opens has asked for nothing yet, nor has another site;
    // an address typed or kept by a person has.
    let session = Token::read(&headers).ok_or(Failure::NoSession)?;
    if app.progress.session(session.hash()).await?.is_none() {
        return Err(Failure::NoSession);
    }
    let site = headers.get("sec-fetch-site");
    let ours = |site: &axum::http::HeaderValue| site == "same-origin" || site == "none";
    if port == 0 || site.is_some_and(|site| !ours(site)) {
        return Err(Failure::NoSession);
    }
    let address = Address {
        machine: MachineId::of(&learner, exercise),
        port,
    };
    let host = app.published.domain.host(&address);
    // The port that the browser knows: a tunnel may lead here from another one.
    let asked = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let port = asked
        .and_then(|host| host.rsplit_once(':'))
        .filter(|(_, port)| port.parse::<u16>().is_ok())
        .map_or(String::new(), |(_, port)| format!(":{port}"));
    let ticket = app
        .published
        .tickets
        .draw(session.hash(), address)
        .map_err(Failure::Random)?;
    let origin = format!("http://{host}{port}");
    Ok(published::redirect(&pass::entrance(&origin, ticket)))
}

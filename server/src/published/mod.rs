//! The web servers that learners publish in their machines, each on an origin of its own.
//!
//! `m-0123456789ab-8000.localhost` is port 8000 of that machine (`address`). Whoever asks there
//! shows a cookie of that very origin (`pass`), given in exchange for a ticket of the exercise's
//! page, and nothing of the platform is ever served there. `connect` obtains a connection inside
//! the machine from its keeper, `forward` carries one request over it, `headers` says what of the
//! headers goes along; `places` counts what is under way, `refusal` is the French page in place of what cannot be shown.

pub(crate) mod address;
mod connect;
mod forward;
mod headers;
pub(crate) mod pass;
mod places;
mod refusal;

use crate::app::Shared;
use crate::machine::pool::Pool;
use address::{Address, Domain};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pass::Tickets;
use places::Places;
use refusal::Refusal;

/// What the pages of machines need besides the rest of the server.
pub(crate) struct Published {
    /// Below which name they are.
    pub(crate) domain: Domain,
    /// Tickets that were not used yet.
    pub(crate) tickets: Tickets,
    places: Places,
}

impl Published {
    /// Nothing published yet, below `domain`.
    pub(crate) fn below(domain: Domain) -> Self {
        Self {
            domain,
            tickets: Tickets::default(),
            places: Places::default(),
        }
    }
}

/// Middleware, the outermost: what is asked of a machine's name goes to that machine, all else on.
pub(crate) async fn dispatch(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let Some(address) = app.published.domain.address(request.headers()) else {
        return next.run(request).await;
    };
    match serve(&app, &address, request).await {
        Ok(response) => response,
        Err(refusal) => {
            tracing::info!(%refusal, machine = %address.machine, port = address.port, "not shown");
            refusal.page(&address).into_response()
        }
    }
}

async fn serve(app: &Shared, address: &Address, request: Request) -> Result<Response, Refusal> {
    headers::judge(&request)?;
    if request.uri().path() == pass::ENTRANCE {
        return pass::enter(app, address, request.uri().query()).await;
    }
    let pass = pass::find(app, request.headers()).await?;
    if pass.is_none_or(|pass| pass != *address) {
        return Err(Refusal::NoPass);
    }
    headers::judge_origin(&request)?;
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Refusal::Method);
    }
    let place = app.published.places.take(&address.machine);
    let place = place.ok_or(Refusal::TooMany)?;
    let lease = Pool::hold_live(&app.pool, &address.machine).ok_or(Refusal::Stopped)?;
    let stream = connect::connect(&lease.socket(), address.port).await?;
    forward::forward(stream, request, (place, lease)).await
}

/// The redirection to a machine's page, which only its first reader may follow.
pub(crate) fn redirect(location: &str) -> Response {
    let headers = [
        (header::LOCATION, location.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

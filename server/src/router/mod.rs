//! Every URL on one screen.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::timeout::TimeoutLayer;

use crate::app::Shared;
use crate::error::Failure;
use crate::published;
use crate::routes::{assets, checks, machine, opening, pages, terminal};
use crate::session::cookie::Token;
use crate::session::{learner, origin};

/// What a browser may load and where it may send: only this server, nothing inline.
fn policy(nonce: &StyleNonce) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{}'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
        nonce.0
    )
}

/// Bodies are answers and empty posts.
const BODY_LIMIT: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// The whole site.
pub(crate) fn router(app: Shared) -> Router {
    let pages = Router::new()
        .route("/", get(pages::home))
        .route("/cours/{module}", get(pages::module))
        .route("/cours/{module}/{page}", get(pages::lesson))
        .route("/cours/{module}/{page}/lu", post(pages::read))
        .route("/cours/{module}/assets/{*file}", get(assets::of_module))
        .route("/tp/{module}/{tp}", get(pages::exercise))
        .route("/tp/{module}/{tp}/assets/{*file}", get(assets::of_exercise))
        .route("/tp/{module}/{tp}/recommencer", post(machine::reset))
        .route("/tp/{module}/{tp}/ouvrir/{port}", get(opening::port))
        .route(
            "/tp/{module}/{tp}/hote/{host}/ouvrir/{port}",
            get(opening::port),
        )
        .route("/assets/{*file}", get(assets::built))
        .fallback(async || Failure::NotFound)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            PATIENCE,
        ));
    // Sockets live as long as their page.
    let sockets = Router::new()
        .route("/tp/{module}/{tp}/checks", get(checks::socket))
        .route("/tp/{module}/{tp}/terminal/{name}", get(terminal::socket))
        // The same for each machine of an exercise that has two.
        .route("/tp/{module}/{tp}/hote/{host}/checks", get(checks::socket))
        .route(
            "/tp/{module}/{tp}/hote/{host}/terminal/{name}",
            get(terminal::socket),
        );
    pages
        .merge(sockets)
        .layer(from_fn_with_state(app.clone(), learner::attach))
        .layer(from_fn_with_state(app.clone(), origin::guard))
        .layer(from_fn(headers))
        // Before all of the above: what machines publish is another origin, and nothing of ours.
        .layer(from_fn_with_state(app.clone(), published::dispatch))
        .with_state(app)
}

/// What style elements made by scripts must carry; pages repeat it to their scripts.
#[derive(Debug, Clone, Default)]
pub(crate) struct StyleNonce(pub(crate) String);

/// Headers of every answer.
async fn headers(mut request: Request, next: Next) -> Response {
    let nonce = match Token::draw() {
        Ok(token) => StyleNonce(token.into_text()),
        Err(error) => return Failure::Random(error).into_response(),
    };
    let policy = policy(&nonce);
    request.extensions_mut().insert(nonce);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = HeaderValue::from_str(&policy).expect("a nonce is hexadecimal digits");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A page shows what its learner did: no cache keeps it, unless its route said otherwise.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

#[cfg(test)]
mod tests;

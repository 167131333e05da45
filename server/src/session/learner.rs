//! Cookie → learner.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::cookie::Token;
use crate::app::Shared;
use crate::error::Failure;

/// A learner's id, as stored; local mode has one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LearnerId(pub(crate) String);

impl LearnerId {
    /// The only learner of local mode.
    pub(crate) fn local() -> Self {
        Self("local".to_owned())
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Extractor: the learner whose session sent this request; refused when there is none.
#[derive(Debug, Clone)]
pub(crate) struct Learner(pub(crate) LearnerId);

impl FromRequestParts<Shared> for Learner {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Failure> {
        parts
            .extensions
            .get::<Learner>()
            .cloned()
            .ok_or(Failure::NoSession)
    }
}

/// Middleware: finds the session; the first page a browser reads opens one.
///
/// Sockets and changes never open a session: they come from a page that already has one.
pub(crate) async fn attach(
    State(app): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let known = match Token::read(request.headers()) {
        Some(token) => match app.progress.session(token.hash()).await {
            Ok(known) => known,
            Err(error) => return Failure::from(error).into_response(),
        },
        None => None,
    };
    if let Some(learner) = known {
        request.extensions_mut().insert(Learner(learner));
        return next.run(request).await;
    }
    let reads_a_page =
        request.method() == Method::GET && !request.headers().contains_key(header::UPGRADE);
    if !reads_a_page {
        return next.run(request).await;
    }
    match open(&app).await {
        Ok((token, learner)) => {
            request.extensions_mut().insert(Learner(learner));
            let mut response = next.run(request).await;
            response
                .headers_mut()
                .append(header::SET_COOKIE, token.set_cookie());
            response
        }
        Err(failure) => failure.into_response(),
    }
}

async fn open(app: &Shared) -> Result<(Token, LearnerId), Failure> {
    let token = Token::draw().map_err(Failure::Random)?;
    let learner = LearnerId::local();
    app.progress
        .open_session(token.hash(), learner.clone())
        .await?;
    Ok((token, learner))
}

//! Why a published port is not shown, as a page of that origin.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use web::messages::say;
use web::pages::{PublishedPage, Template};

use super::address::Address;
use super::connect::ConnectError;
use crate::progress::ProgressError;
use crate::session::cookie::Token;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The browser has no pass to this origin, or its ticket is not good.
    #[error("no pass")]
    NoPass,
    /// The page of another origin asks.
    #[error("asked by another origin's page")]
    Stranger,
    /// The request can be understood in two ways.
    #[error("ambiguous request")]
    Ambiguous,
    /// A method that is not carried.
    #[error("method not carried")]
    Method,
    /// All connections are in use.
    #[error("too many connections")]
    TooMany,
    /// The machine does not run.
    #[error("the machine does not run")]
    Stopped,
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The program speaks something else than HTTP.
    #[error("the program does not speak HTTP")]
    Http(#[source] hyper::Error),
    /// It changes to a protocol that was not asked for.
    #[error("the program changes the protocol unasked")]
    Switched,
    /// It does not answer.
    #[error("the program does not answer")]
    Silent,
    /// The database failed.
    #[error("the pass cannot be looked up")]
    Progress(#[from] ProgressError),
    /// The kernel gave no random bytes.
    #[error("no random bytes")]
    Random(getrandom::Error),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoPass | Self::Stranger => StatusCode::FORBIDDEN,
            Self::Ambiguous => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooMany | Self::Stopped => StatusCode::SERVICE_UNAVAILABLE,
            Self::Connect(ConnectError::Keeper(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Connect(ConnectError::Late(_)) | Self::Silent => StatusCode::GATEWAY_TIMEOUT,
            Self::Connect(_) | Self::Http(_) | Self::Switched => StatusCode::BAD_GATEWAY,
            Self::Progress(_) | Self::Random(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The name of its sentences in fr.toml.
    fn key(&self) -> &'static str {
        match self {
            Self::NoPass => "no-pass",
            Self::Stranger => "stranger",
            Self::Ambiguous | Self::Method => "ambiguous",
            Self::TooMany => "too-many",
            Self::Stopped | Self::Connect(ConnectError::Keeper(_)) => "stopped",
            Self::Connect(ConnectError::Refused { .. }) => "refused",
            Self::Connect(ConnectError::Late(_)) | Self::Silent => "silent",
            Self::Http(_) | Self::Switched => "not-http",
            Self::Connect(ConnectError::Answer(_)) | Self::Progress(_) | Self::Random(_) => "ours",
        }
    }

    /// The page in place of the learner's own.
    pub(super) fn page(&self, address: &Address) -> Response {
        let port = address.port.to_string();
        let sentence = |part: &str| {
            let key = format!("published.{}.{part}", self.key());
            say(&key, &[("port", &port)])
        };
        let nonce = Token::draw().map(Token::into_text).unwrap_or_default();
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
        );
        let page = PublishedPage {
            title: sentence("title"),
            why: sentence("why"),
            remedy: sentence("remedy"),
            style_nonce: nonce,
        };
        let body = match page.render() {
            Ok(html) => Html(html).into_response(),
            Err(_) => sentence("title").into_response(),
        };
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        let policy = HeaderValue::from_str(&policy).expect("a nonce is hexadecimal digits");
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_refusal_has_its_sentences() {
        for key in [
            "no-pass",
            "stranger",
            "ambiguous",
            "too-many",
            "stopped",
            "refused",
            "silent",
            "not-http",
            "ours",
        ] {
            for part in ["title", "why", "remedy"] {
                let key = format!("published.{key}.{part}");
                assert!(web::messages::find(&key).is_some(), "{key}");
            }
        }
    }
}

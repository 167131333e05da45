//! Anything that fails on its way to a learner → a French page with the right status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use web::messages::say;
use web::pages::{FailurePage, Frame, Template};

use crate::course::Fault;
use crate::machine::pool::MachineError;
use crate::progress::ProgressError;
use crate::session::origin::Refusal;

/// Why a request has no better answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No page has this address.
    #[error("no such page")]
    NotFound,
    /// A change or a socket without a session.
    #[error("no session")]
    NoSession,
    /// A foreign host or origin.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The file of the step has a fault.
    #[error("{0}")]
    Broken(Fault),
    /// The machine does not start or stop.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The database failed.
    #[error("progress")]
    Progress(#[from] ProgressError),
    /// A page could not be rendered.
    #[error("render")]
    Render(#[from] web::pages::RenderError),
    /// The kernel gave no random bytes.
    #[error("no random bytes")]
    Random(getrandom::Error),
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NoSession | Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Machine(_) => StatusCode::SERVICE_UNAVAILABLE,
            // The page exists and shows what its author must mend.
            Self::Broken(_) => StatusCode::OK,
            Self::Progress(_) | Self::Render(_) | Self::Random(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    fn page(&self) -> FailurePage {
        let (key, why) = match self {
            Self::NotFound => ("not-found", None),
            Self::NoSession => ("no-session", None),
            Self::Refused(_) => ("refused", None),
            Self::Broken(_) => ("broken", None),
            Self::Machine(error) => ("machine", Some(format!("{} : {}", error.what, error.why))),
            Self::Progress(_) | Self::Render(_) | Self::Random(_) => ("ours", None),
        };
        let sentence = |part: &str| say(&format!("failure.{key}.{part}"), &[]);
        let title = sentence("title");
        FailurePage {
            frame: Frame {
                title: title.clone(),
                assets: crate::routes::assets::addresses(),
                ..Frame::default()
            },
            why: why.unwrap_or_else(|| sentence("why")),
            remedy: match self {
                Self::Machine(error) => error.remedy.clone(),
                _ => sentence("remedy"),
            },
            details: match self {
                Self::Broken(fault) => vec![fault.to_string()],
                _ => Vec::new(),
            },
            title,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(error = %chain(&self), "a request failed");
        }
        let body = match self.page().render() {
            Ok(html) => Html(html).into_response(),
            Err(_) => say("failure.ours.title", &[]).into_response(),
        };
        let mut response = (status, body).into_response();
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// An error and its causes on one line, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}

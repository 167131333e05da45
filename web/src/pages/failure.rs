//! What could not be shown, and why.

use askama::Template;

use super::frame::Frame;

/// The page shown in place of what failed.
#[derive(Debug, Template)]
#[template(path = "pages/failure.html")]
pub struct FailurePage {
    /// What surrounds it.
    pub frame: Frame,
    /// What failed.
    pub title: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub remedy: String,
    /// File, line and cause, for authors; empty elsewhere.
    pub details: Vec<String>,
}

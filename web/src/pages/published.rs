//! What stands in place of a page that a learner's machine would publish.

use askama::Template;

/// A page of an origin that is not the platform's: it stands alone, without scripts or files.
#[derive(Debug, Template)]
#[template(path = "pages/published.html")]
pub struct PublishedPage {
    /// What is the matter.
    pub title: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub remedy: String,
    /// What its style element must carry.
    pub style_nonce: String,
}

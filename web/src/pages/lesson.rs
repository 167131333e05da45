//! A course page.

use askama::Template;

use super::frame::{Frame, Link};

/// A course page.
#[derive(Debug, Template)]
#[template(path = "pages/lesson.html")]
pub struct LessonPage {
    /// What surrounds it.
    pub frame: Frame,
    /// Its title.
    pub title: String,
    /// One sentence about it.
    pub summary: String,
    /// Its headings.
    pub contents: Vec<Heading>,
    /// Its words.
    pub body_html: String,
    /// The step before.
    pub previous: Option<Link>,
    /// The step after.
    pub next: Option<Link>,
    /// Where the page reports that it was read to its end.
    pub read_href: String,
    /// Whether it was already.
    pub read: bool,
}

/// One line of a table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// 2 or 3.
    pub level: u8,
    /// Its fragment.
    pub id: String,
    /// Its words.
    pub title: String,
}

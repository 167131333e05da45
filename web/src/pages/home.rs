//! The home page: modules and how far the learner is in each.

use askama::Template;

use super::frame::{Frame, Link};

/// The home page.
#[derive(Debug, Template)]
#[template(path = "pages/home.html")]
pub struct HomePage {
    /// What surrounds it.
    pub frame: Frame,
    /// Where to go on, once something has been opened.
    pub resume: Option<Link>,
    /// The modules, in order.
    pub modules: Vec<ModuleCard>,
    /// What is broken in the course, for its authors.
    pub faults: Vec<String>,
}

/// One module on the home page.
#[derive(Debug)]
pub struct ModuleCard {
    /// Its number in the course.
    pub place: u32,
    /// Its title.
    pub title: String,
    /// One sentence about it.
    pub summary: String,
    /// Its address.
    pub href: String,
    /// How far the learner is.
    pub done: Done,
}

/// How much of a module is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Pages read to their end.
    pub pages: usize,
    /// Pages in all.
    pub pages_total: usize,
    /// Exercises solved.
    pub exercises: usize,
    /// Exercises in all.
    pub exercises_total: usize,
}

impl Done {
    /// Steps done, pages and exercises together.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.pages + self.exercises
    }

    /// Steps in all.
    #[must_use]
    pub fn steps_total(&self) -> usize {
        self.pages_total + self.exercises_total
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.steps_total() > 0 && self.steps() == self.steps_total()
    }
}

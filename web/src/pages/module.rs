//! The page of a module: its introduction and the list of its pages and exercises.

use askama::Template;

use super::frame::Frame;
use super::home::Done;

/// The page of a module.
#[derive(Debug, Template)]
#[template(path = "pages/module.html")]
pub struct ModulePage {
    /// What surrounds it.
    pub frame: Frame,
    /// Its number in the course.
    pub place: u32,
    /// Its title.
    pub title: String,
    /// One sentence about it.
    pub summary: String,
    /// The words of `index.md`.
    pub body_html: String,
    /// How far the learner is.
    pub done: Done,
    /// Pages and exercises, in order.
    pub steps: Vec<Step>,
}

/// One page or exercise in the list of a module.
#[derive(Debug)]
pub struct Step {
    /// Page or exercise.
    pub kind: StepKind,
    /// Its title.
    pub title: String,
    /// One sentence about it, or how long the exercise takes.
    pub note: String,
    /// Its address.
    pub href: String,
    /// Where the learner stands with it.
    pub state: StepState,
}

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// A course page.
    Page,
    /// An exercise.
    Exercise,
}

/// Where the learner stands with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// Not opened yet.
    New,
    /// Opened or begun.
    Begun,
    /// Read or solved.
    Done,
    /// This host cannot run it.
    Unavailable,
    /// Its file has a fault.
    Broken,
}

impl Step {
    fn is_exercise(&self) -> bool {
        self.kind == StepKind::Exercise
    }

    fn state_class(&self) -> &'static str {
        match self.state {
            StepState::New => "new",
            StepState::Begun => "begun",
            StepState::Done => "done",
            StepState::Unavailable => "unavailable",
            StepState::Broken => "broken",
        }
    }
}

//! The page of an exercise: statement, terminals, checks, questions.

use askama::Template;

use super::frame::{Frame, Link};

/// The page of an exercise.
#[derive(Debug, Template)]
#[template(path = "pages/exercise.html")]
pub struct ExercisePage {
    /// What surrounds it.
    pub frame: Frame,
    /// Its title.
    pub title: String,
    /// How long it takes, in words.
    pub duration: String,
    /// The statement.
    pub body_html: String,
    /// Its own address, without a final slash: sockets and actions hang below it.
    pub href: String,
    /// The exercise's id, `module/tp`.
    pub id: String,
    /// Names of its machines, when there are two.
    pub hosts: Vec<String>,
    /// What is verified, in order.
    pub checks: Vec<CheckRow>,
    /// What is asked.
    pub questions: Vec<Question>,
    /// Help that comes with time.
    pub hints: Vec<Hint>,
    /// Whether all checks were green once.
    pub solved: bool,
    /// Why this host cannot run it; empty when it can.
    pub unavailable: Vec<String>,
    /// The step before.
    pub previous: Option<Link>,
    /// The step after.
    pub next: Option<Link>,
}

/// One line of the check list.
#[derive(Debug)]
pub struct CheckRow {
    /// Its id.
    pub id: String,
    /// What is expected, in words.
    pub text: String,
    /// Ids of the checks that come first.
    pub needs: Vec<String>,
    /// What is known from the last visit.
    pub passed: bool,
}

/// One question.
#[derive(Debug)]
pub struct Question {
    /// Its id.
    pub id: String,
    /// Its words.
    pub text_html: String,
    /// How it is answered.
    pub input: Input,
    /// The learner's last answer.
    pub answer: String,
    /// Whether it was right, at the last visit.
    pub passed: bool,
}

/// How a question is answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// A whole number.
    Integer,
    /// A line of text.
    Text,
    /// One of these.
    Choice(Vec<String>),
}

/// Help that comes with time.
#[derive(Debug)]
pub struct Hint {
    /// Seconds after the page was opened.
    pub after_s: u64,
    /// Its words.
    pub body_html: String,
}

impl ExercisePage {
    fn passed(&self) -> usize {
        let checks = self.checks.iter().filter(|check| check.passed).count();
        checks
            + self
                .questions
                .iter()
                .filter(|question| question.passed)
                .count()
    }

    fn total(&self) -> usize {
        self.checks.len() + self.questions.len()
    }
}

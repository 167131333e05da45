//! The parts of the running server, built once and passed explicitly.

use std::sync::Arc;

use labs::exercise::Exercise;

use crate::config::Config;
use crate::course::Course;
use crate::course::source::Source;
use crate::machine::pool::Pool;
use crate::progress::Progress;
use crate::published::Published;
use crate::session::watches::Watches;

/// What every route may use.
pub(crate) struct App {
    /// What was asked on the command line.
    pub(crate) config: Config,
    /// Where pictures of the course are read from.
    pub(crate) source: Source,
    /// The course, rendered.
    pub(crate) course: Course,
    /// What learners have done.
    pub(crate) progress: Progress,
    /// The learners' machines.
    pub(crate) pool: Arc<Pool>,
    /// What watchers say, one connection per machine.
    pub(crate) watches: Arc<Watches>,
    /// The pages that machines publish.
    pub(crate) published: Published,
    /// Capabilities this host lacks, with the reason, by the name exercises use in `requires`.
    pub(crate) lacks: Vec<Lack>,
}

/// A capability that exercises may require and this host has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lack {
    /// The name in `requires`.
    pub(crate) capability: String,
    /// Why, in French.
    pub(crate) reason: String,
}

/// How routes hold the parts.
pub(crate) type Shared = Arc<App>;

impl App {
    /// Why this host cannot run an exercise; empty when it can.
    pub(crate) fn unavailable(&self, exercise: &Exercise) -> Vec<String> {
        let missing = self
            .lacks
            .iter()
            .filter(|lack| exercise.requires.contains(&lack.capability));
        missing.map(|lack| lack.reason.clone()).collect()
    }
}

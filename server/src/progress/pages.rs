//! Pages opened and read; the overview of the home page.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Progress, ProgressError};
use crate::session::LearnerId;

/// Everything a learner has done, for lists of steps.
#[derive(Debug, Default)]
pub(crate) struct Overview {
    /// Steps opened or done, by id (`module/step`).
    steps: BTreeMap<String, Reached>,
    /// The step opened last.
    pub(crate) last: Option<String>,
}

/// How far a learner is with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reached {
    /// Opened.
    Begun,
    /// Read or solved.
    Done,
}

impl Overview {
    /// How far the learner is with `step`.
    pub(crate) fn step(&self, step: &str) -> Option<Reached> {
        self.steps.get(step).copied()
    }
}

impl Progress {
    /// Remembers that a page or an exercise was opened.
    pub(crate) async fn opened(
        &self,
        learner: LearnerId,
        step: String,
    ) -> Result<(), ProgressError> {
        let now = jiff::Timestamp::now().to_string();
        self.run("note an opened page", move |db| {
            db.execute(
                "INSERT INTO page (learner, page, opened) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET opened = excluded.opened",
                params![learner.as_str(), step, now],
            )
            .map(drop)
        })
        .await
    }

    /// Remembers that a page was read to its end.
    pub(crate) async fn read(&self, learner: LearnerId, page: String) -> Result<(), ProgressError> {
        let now = jiff::Timestamp::now().to_string();
        self.run("note a read page", move |db| {
            db.execute(
                "INSERT INTO page (learner, page, opened, read) VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT DO UPDATE SET read = coalesce(read, excluded.read)",
                params![learner.as_str(), page, now],
            )
            .map(drop)
        })
        .await
    }

    /// Everything the learner has done.
    pub(crate) async fn overview(&self, learner: LearnerId) -> Result<Overview, ProgressError> {
        self.run("read the overview", move |db| {
            let mut overview = Overview::default();
            let mut pages = db.prepare_cached(
                "SELECT page, read IS NOT NULL FROM page WHERE learner = ?1 ORDER BY opened",
            )?;
            let mut rows = pages.query(params![learner.as_str()])?;
            while let Some(row) = rows.next()? {
                let (step, read): (String, bool) = (row.get(0)?, row.get(1)?);
                overview.last = Some(step.clone());
                overview.steps.insert(step, reached(read));
            }
            let mut exercises = db.prepare_cached(
                "SELECT exercise, solved IS NOT NULL FROM exercise WHERE learner = ?1",
            )?;
            let mut rows = exercises.query(params![learner.as_str()])?;
            while let Some(row) = rows.next()? {
                overview.steps.insert(row.get(0)?, reached(row.get(1)?));
            }
            Ok(overview)
        })
        .await
    }
}

fn reached(done: bool) -> Reached {
    if done { Reached::Done } else { Reached::Begun }
}

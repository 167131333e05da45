//! Verdicts, answers and solved exercises.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::{Progress, ProgressError};
use crate::session::LearnerId;

/// What is known of one check or question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Whether it is green.
    pub(crate) passed: bool,
    /// The watcher's report, as JSON.
    pub(crate) report: String,
}

/// What is known of an exercise before anything runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExerciseState {
    /// Checks and questions, by id.
    pub(crate) items: BTreeMap<String, Known>,
    /// Answers, by question.
    pub(crate) answers: BTreeMap<String, String>,
    /// Whether everything was green once.
    pub(crate) solved: bool,
}

impl Progress {
    /// Reads what is known of an exercise.
    pub(crate) async fn exercise(
        &self,
        learner: LearnerId,
        exercise: String,
    ) -> Result<ExerciseState, ProgressError> {
        self.run("read an exercise's state", move |db| {
            let key = params![learner.as_str(), exercise];
            let mut state = ExerciseState::default();
            let mut items = db.prepare_cached(
                "SELECT item, passed, report FROM check_state WHERE learner = ?1 AND exercise = ?2",
            )?;
            let mut rows = items.query(key)?;
            while let Some(row) = rows.next()? {
                let known = Known {
                    passed: row.get(1)?,
                    report: row.get(2)?,
                };
                state.items.insert(row.get(0)?, known);
            }
            let mut answers = db.prepare_cached(
                "SELECT question, value FROM answer WHERE learner = ?1 AND exercise = ?2",
            )?;
            let mut rows = answers.query(key)?;
            while let Some(row) = rows.next()? {
                state.answers.insert(row.get(0)?, row.get(1)?);
            }
            let solved: Option<bool> = db
                .query_row(
                    "SELECT solved IS NOT NULL FROM exercise WHERE learner = ?1 AND exercise = ?2",
                    key,
                    |row| row.get(0),
                )
                .optional()?;
            state.solved = solved.unwrap_or(false);
            Ok(state)
        })
        .await
    }

    /// Remembers that an exercise was begun.
    pub(crate) async fn begun(
        &self,
        learner: LearnerId,
        exercise: String,
    ) -> Result<(), ProgressError> {
        let now = jiff::Timestamp::now().to_string();
        self.run("note a begun exercise", move |db| {
            db.execute(
                "INSERT INTO exercise (learner, exercise, begun) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                params![learner.as_str(), exercise, now],
            )
            .map(drop)
        })
        .await
    }

    /// Stores the latest report on a check or a question.
    pub(crate) async fn report(
        &self,
        learner: LearnerId,
        exercise: String,
        item: String,
        known: Known,
    ) -> Result<(), ProgressError> {
        let now = jiff::Timestamp::now().to_string();
        self.run("store a verdict", move |db| {
            db.execute(
                "INSERT INTO check_state (learner, exercise, item, passed, report, changed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET
                    passed = excluded.passed, report = excluded.report, changed = excluded.changed",
                params![
                    learner.as_str(),
                    exercise,
                    item,
                    known.passed,
                    known.report,
                    now
                ],
            )
            .map(drop)
        })
        .await
    }

    /// Remembers that everything was green; the first time counts.
    pub(crate) async fn solved(
        &self,
        learner: LearnerId,
        exercise: String,
    ) -> Result<(), ProgressError> {
        let now = jiff::Timestamp::now().to_string();
        self.run("note a solved exercise", move |db| {
            db.execute(
                "INSERT INTO exercise (learner, exercise, begun, solved) VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT DO UPDATE SET solved = coalesce(solved, excluded.solved)",
                params![learner.as_str(), exercise, now],
            )
            .map(drop)
        })
        .await
    }

    /// Stores an answer.
    pub(crate) async fn answer(
        &self,
        learner: LearnerId,
        exercise: String,
        question: String,
        value: String,
    ) -> Result<(), ProgressError> {
        let now = jiff::Timestamp::now().to_string();
        self.run("store an answer", move |db| {
            db.execute(
                "INSERT INTO answer (learner, exercise, question, value, given)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET value = excluded.value, given = excluded.given",
                params![learner.as_str(), exercise, question, value, now],
            )
            .map(drop)
        })
        .await
    }

    /// Forgets verdicts and answers of an exercise that starts again; a solved one stays solved.
    pub(crate) async fn restart(
        &self,
        learner: LearnerId,
        exercise: String,
    ) -> Result<(), ProgressError> {
        self.run("forget an exercise's verdicts", move |db| {
            let step = db.transaction()?;
            for statement in [
                "DELETE FROM check_state WHERE learner = ?1 AND exercise = ?2",
                "DELETE FROM answer WHERE learner = ?1 AND exercise = ?2",
            ] {
                step.execute(statement, params![learner.as_str(), exercise])?;
            }
            step.commit()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::cookie::Token;

    const TP: &str = "m/tp";

    async fn open(path: &std::path::Path) -> Progress {
        let progress = Progress::open(path).unwrap();
        let token = Token::draw().unwrap().hash();
        let learner = LearnerId::local();
        progress
            .open_session(token.clone(), learner.clone())
            .await
            .unwrap();
        assert_eq!(progress.session(token).await.unwrap(), Some(learner));
        progress
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_kill() {
        let folder = crate::test_folder("kill");
        let path = folder.join("quai.db");
        let (me, tp) = (LearnerId::local(), TP.to_owned());
        let progress = open(&path).await;
        let green = Known {
            passed: true,
            report: "{}".into(),
        };
        progress
            .report(me.clone(), tp.clone(), "a".into(), green.clone())
            .await
            .unwrap();
        progress
            .answer(me.clone(), tp.clone(), "q".into(), "1' OR 1=1 --".into())
            .await
            .unwrap();
        progress.solved(me.clone(), tp.clone()).await.unwrap();
        // The connection is never closed: what a killed process leaves is what is read here.
        std::mem::forget(progress);
        let again = open(&path).await;
        let state = again.exercise(me.clone(), tp.clone()).await.unwrap();
        assert_eq!(state.items["a"], green);
        assert_eq!(state.answers["q"], "1' OR 1=1 --");
        assert!(state.solved);
        again.restart(me.clone(), tp.clone()).await.unwrap();
        let state = again.exercise(me, tp).await.unwrap();
        assert!(state.items.is_empty() && state.answers.is_empty() && state.solved);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn learners_do_not_see_each_other() {
        let folder = crate::test_folder("learners");
        let progress = open(&folder.join("quai.db")).await;
        progress
            .solved(LearnerId::local(), TP.into())
            .await
            .unwrap();
        let other = progress
            .exercise(LearnerId("other".into()), TP.into())
            .await
            .unwrap();
        assert_eq!(other, ExerciseState::default());
        std::fs::remove_dir_all(folder).unwrap();
    }
}

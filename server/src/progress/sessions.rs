//! Sessions: hash of the cookie → learner.

use rusqlite::{OptionalExtension, params};

use super::{Progress, ProgressError};
use crate::session::LearnerId;
use crate::session::cookie::TokenHash;

impl Progress {
    /// The learner of a session, if it is known.
    pub(crate) async fn session(
        &self,
        token: TokenHash,
    ) -> Result<Option<LearnerId>, ProgressError> {
        self.run("read a session", move |db| {
            db.query_row(
                "SELECT learner FROM session WHERE token = ?1",
                params![token.0.as_slice()],
                |row| row.get(0).map(LearnerId),
            )
            .optional()
        })
        .await
    }

    /// Remembers a new session, and its learner at the first time.
    pub(crate) async fn open_session(
        &self,
        token: TokenHash,
        learner: LearnerId,
    ) -> Result<(), ProgressError> {
        let now = jiff::Timestamp::now().to_string();
        self.run("open a session", move |db| {
            let step = db.transaction()?;
            step.execute(
                "INSERT INTO learner (id, created) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![learner.as_str(), now],
            )?;
            step.execute(
                "INSERT INTO session (token, learner, created) VALUES (?1, ?2, ?3)",
                params![token.0.as_slice(), learner.as_str(), now],
            )?;
            step.commit()
        })
        .await
    }
}

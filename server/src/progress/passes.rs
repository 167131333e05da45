//! Passes: hash of a published origin's cookie → the port of a machine that it opens.

use rusqlite::{OptionalExtension, params};

use super::{Progress, ProgressError};
use crate::machine::identity::MachineId;
use crate::published::address::Address;
use crate::session::cookie::TokenHash;

/// A session keeps this many passes to one port: as many browsers' profiles and windows.
const MOST: u32 = 16;

impl Progress {
    /// The port that a pass opens, if the pass is known and its session too.
    pub(crate) async fn pass(&self, token: TokenHash) -> Result<Option<Address>, ProgressError> {
        self.run("read a pass", move |db| {
            let found = db
                .query_row(
                    "SELECT machine, port FROM pass WHERE token = ?1",
                    params![token.0.as_slice()],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, u16>(1)?)),
                )
                .optional()?;
            // What is no machine's name opens nothing.
            Ok(found.and_then(|(machine, port)| {
                let machine = MachineId::parse(&machine)?;
                Some(Address { machine, port })
            }))
        })
        .await
    }

    /// Remembers a pass of a session to a port, and forgets the oldest ones to it.
    pub(crate) async fn open_pass(
        &self,
        token: TokenHash,
        session: TokenHash,
        address: Address,
    ) -> Result<(), ProgressError> {
        let now = jiff::Timestamp::now().to_string();
        let machine = address.machine.to_string();
        self.run("open a pass", move |db| {
            let step = db.transaction()?;
            step.execute(
                "INSERT INTO pass (token, session, machine, port, created)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    token.0.as_slice(),
                    session.0.as_slice(),
                    machine,
                    address.port,
                    now
                ],
            )?;
            step.execute(
                "DELETE FROM pass WHERE session = ?1 AND machine = ?2 AND port = ?3
                 AND token NOT IN (SELECT token FROM pass
                     WHERE session = ?1 AND machine = ?2 AND port = ?3
                     ORDER BY created DESC LIMIT ?4)",
                params![session.0.as_slice(), machine, address.port, MOST],
            )?;
            step.commit()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::LearnerId;
    use crate::session::cookie::Token;

    #[tokio::test]
    async fn a_pass_opens_its_port_as_long_as_its_session_is_known() {
        let folder = crate::test_folder("passes");
        let progress = Progress::open(&folder.join("quai.db")).unwrap();
        let draw = || Token::draw().unwrap().hash();
        let (session, pass) = (draw(), draw());
        let machine = MachineId::parse("m-0123456789ab").unwrap();
        let address = Address {
            machine,
            port: 8000,
        };
        let unknown = progress
            .open_pass(draw(), session.clone(), address.clone())
            .await;
        assert!(
            unknown.is_err(),
            "a session that is not known gives nothing"
        );
        let learner = LearnerId::local();
        progress
            .open_session(session.clone(), learner)
            .await
            .unwrap();
        progress
            .open_pass(pass.clone(), session.clone(), address.clone())
            .await
            .unwrap();
        assert_eq!(
            progress.pass(pass.clone()).await.unwrap(),
            Some(address.clone())
        );
        assert_eq!(progress.pass(draw()).await.unwrap(), None);
        for _ in 0..MOST {
            progress
                .open_pass(draw(), session.clone(), address.clone())
                .await
                .unwrap();
        }
        assert_eq!(
            progress.pass(pass).await.unwrap(),
            None,
            "the oldest is forgotten"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}

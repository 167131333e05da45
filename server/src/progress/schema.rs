//! Tables and their migrations; the version is SQLite's `user_version`.

use std::path::Path;

use rusqlite::Connection;

use super::ProgressError;

/// One entry per version; entries are never edited once released, only added.
const MIGRATIONS: &[&str] = &[
    // 1
    "CREATE TABLE learner (
        id TEXT PRIMARY KEY,
        created TEXT NOT NULL
    ) STRICT;
    CREATE TABLE session (
        token BLOB PRIMARY KEY,
        learner TEXT NOT NULL REFERENCES learner(id) ON DELETE CASCADE,
        created TEXT NOT NULL
    ) STRICT;
    CREATE TABLE page (
        learner TEXT NOT NULL REFERENCES learner(id) ON DELETE CASCADE,
        page TEXT NOT NULL,
        opened TEXT NOT NULL,
        read TEXT,
        PRIMARY KEY (learner, page)
    ) STRICT;
    CREATE TABLE exercise (
        learner TEXT NOT NULL REFERENCES learner(id) ON DELETE CASCADE,
        exercise TEXT NOT NULL,
        begun TEXT NOT NULL,
        solved TEXT,
        PRIMARY KEY (learner, exercise)
    ) STRICT;
    CREATE TABLE check_state (
        learner TEXT NOT NULL REFERENCES learner(id) ON DELETE CASCADE,
        exercise TEXT NOT NULL,
        item TEXT NOT NULL,
        passed INTEGER NOT NULL,
        report TEXT NOT NULL,
        changed TEXT NOT NULL,
        PRIMARY KEY (learner, exercise, item)
    ) STRICT;
    CREATE TABLE answer (
        learner TEXT NOT NULL REFERENCES learner(id) ON DELETE CASCADE,
        exercise TEXT NOT NULL,
        question TEXT NOT NULL,
        value TEXT NOT NULL,
        given TEXT NOT NULL,
        PRIMARY KEY (learner, exercise, question)
    ) STRICT;",
    // 2
    "CREATE TABLE pass (
        token BLOB PRIMARY KEY,
        session BLOB NOT NULL REFERENCES session(token) ON DELETE CASCADE,
        machine TEXT NOT NULL,
        port INTEGER NOT NULL,
        created TEXT NOT NULL
    ) STRICT;",
];

/// Settings, integrity, migrations.
pub(super) fn prepare(
    mut connection: Connection,
    path: &Path,
) -> Result<Connection, ProgressError> {
    let failed = |what| move |source| ProgressError::Statement { what, source };
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;",
        )
        .map_err(failed("set the database up"))?;
    let report: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(failed("verify the database"))?;
    if report != "ok" {
        return Err(ProgressError::Damaged {
            path: path.to_owned(),
            report,
        });
    }
    migrate(&mut connection)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), ProgressError> {
    let failed = |source| ProgressError::Statement {
        what: "migrate the database",
        source,
    };
    let known = u32::try_from(MIGRATIONS.len()).expect("migrations are few");
    let found: u32 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed)?;
    if found > known {
        return Err(ProgressError::Newer { found, known });
    }
    for version in found..known {
        let step = connection.transaction().map_err(failed)?;
        step.execute_batch(MIGRATIONS[version as usize])
            .map_err(failed)?;
        step.pragma_update(None, "user_version", version + 1)
            .map_err(failed)?;
        step.commit().map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> u32 {
        connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn a_new_database_gets_every_table_once() {
        let folder = crate::test_folder("schema");
        let path = folder.join("quai.db");
        for _ in 0..2 {
            let connection = prepare(Connection::open(&path).unwrap(), &path).unwrap();
            assert_eq!(version(&connection), MIGRATIONS.len() as u32);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_newer_database_is_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let refused = prepare(connection, Path::new("x"));
        assert!(matches!(
            refused,
            Err(ProgressError::Newer { found: 99, .. })
        ));
    }

    #[test]
    fn a_damaged_database_is_said() {
        let folder = crate::test_folder("damaged");
        let path = folder.join("quai.db");
        std::fs::write(&path, vec![7; 8192]).unwrap();
        assert!(prepare(Connection::open(&path).unwrap(), &path).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}

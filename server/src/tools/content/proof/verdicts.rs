//! The verdicts of a watcher, as they come.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use labs::exercise::{Exercise, Value};
use labs::protocol::{Answer, Report, Request};
use labs::verdict::Verdict;
use serde_json::json;

/// What the watcher has said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The last verdict of each check and question.
    pub(super) verdicts: BTreeMap<String, Verdict>,
    /// Whether everything was green at one moment.
    pub(super) solved: bool,
    /// How many rounds were told.
    pub(super) rounds: usize,
    /// Lines that are no report: errors of the keeper.
    pub(super) errors: Vec<String>,
}

/// A connection to a watcher; a thread listens to it.
pub(super) struct Verdicts {
    stream: UnixStream,
    said: Arc<Mutex<Said>>,
}

impl Verdicts {
    /// Opens the watch of an exercise.
    pub(super) fn open(
        mut stream: UnixStream,
        exercise: &Exercise,
        vars: &BTreeMap<String, Value>,
    ) -> std::io::Result<Self> {
        let opening = json!({
            "open": "watch",
            "exercise": exercise,
            "vars": vars,
            "passed": [],
            "answers": {},
        });
        writeln!(stream, "{opening}")?;
        let said = Arc::new(Mutex::new(Said::default()));
        let reader = BufReader::new(stream.try_clone()?);
        let into = Arc::clone(&said);
        std::thread::spawn(move || listen(reader, &into));
        Ok(Self { stream, said })
    }

    /// What all watchers of an exercise have said so far.
    pub(super) fn together(all: &[Self]) -> Said {
        let mut whole = Said {
            solved: true,
            rounds: usize::MAX,
            ..Said::default()
        };
        for one in all {
            let said = one.said.lock().unwrap_or_else(PoisonError::into_inner);
            whole.verdicts.extend(said.verdicts.clone());
            whole.errors.extend(said.errors.iter().cloned());
            whole.solved &= said.solved;
            whole.rounds = whole.rounds.min(said.rounds);
        }
        whole
    }

    /// Answers a question.
    pub(super) fn answer(&mut self, id: &str, value: &str) -> std::io::Result<()> {
        let request = Request::Answer(Answer {
            id: id.into(),
            value: value.into(),
        });
        let line = serde_json::to_string(&request)?;
        writeln!(self.stream, "{line}")
    }
}

impl Drop for Verdicts {
    fn drop(&mut self) {
        // Ends the watcher, and with it our listening thread; nothing is left to report to.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn listen(reader: BufReader<UnixStream>, into: &Mutex<Said>) {
    for line in reader.lines().map_while(Result::ok) {
        let mut said = into.lock().unwrap_or_else(PoisonError::into_inner);
        match serde_json::from_str(&line) {
            Ok(Report::Check { check, verdict, .. }) => {
                said.verdicts.insert(check, verdict);
            }
            Ok(Report::Question { question, verdict }) => {
                said.verdicts.insert(question, verdict);
            }
            Ok(Report::Round { solved, .. }) => {
                said.solved |= solved;
                said.rounds += 1;
            }
            Ok(Report::Ports { .. }) => {}
            Err(_) => said.errors.push(line.chars().take(400).collect()),
        }
    }
}

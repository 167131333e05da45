//! What happened, told to whoever listens, and kept so that a later listener can be told too.
//!
//! Every event is one line of `events.jsonl`. Times are strictly increasing, so a reader that has replayed the file
//! up to some time knows which live events it has already seen. The file survives restarts; past a limit its older
//! half becomes `events.jsonl.1`, and what was there before is dropped.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::broadcast;

use crate::api::types::{Actor, Event};

use super::DaemonError;

/// Bytes after which the journal is turned over.
const LIMIT: u64 = 8 << 20;

/// The journal and its listeners.
#[derive(Debug)]
pub(crate) struct Events {
    journal: Mutex<Journal>,
    live: broadcast::Sender<Event>,
    told: AtomicU64,
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
    size: u64,
    last: i64,
}

impl Events {
    pub(crate) fn open(dir: &Path) -> Result<Self, DaemonError> {
        let path = dir.join("events.jsonl");
        let last = read(&path).last().map_or(0, |event| event.time_nano);
        let (file, size) = append(&path)?;
        let (live, _) = broadcast::channel(4096);
        Ok(Self {
            journal: Mutex::new(Journal {
                path,
                file,
                size,
                last,
            }),
            live,
            told: AtomicU64::new(0),
        })
    }

    /// Records an event and tells every listener.
    pub(crate) fn emit(
        &self,
        kind: &str,
        action: &str,
        id: &str,
        attributes: BTreeMap<String, String>,
    ) {
        let mut journal = self.journal.lock().expect("no panic while holding it");
        let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        let time_nano = now.max(journal.last + 1);
        let old_form = matches!(kind, "container" | "image");
        let event = Event {
            status: if old_form {
                action.to_owned()
            } else {
                String::new()
            },
            id: if old_form {
                id.to_owned()
            } else {
                String::new()
            },
            from: if kind == "container" {
                attributes.get("image").cloned().unwrap_or_default()
            } else {
                String::new()
            },
            kind: kind.to_owned(),
            action: action.to_owned(),
            actor: Actor {
                id: id.to_owned(),
                attributes,
            },
            scope: "local".to_owned(),
            time: time_nano / 1_000_000_000,
            time_nano,
        };
        journal.last = time_nano;
        if let Err(error) = journal.write(&event) {
            tracing::error!("cannot keep the event {action} of {id}: {error}");
        }
        self.told.fetch_add(1, Ordering::Relaxed);
        // Nobody listening is no failure.
        let _ = self.live.send(event);
    }

    /// The events since a time, and the live ones that follow, without gap or repetition.
    pub(crate) fn listen(&self, since: Option<i64>) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let journal = self.journal.lock().expect("no panic while holding it");
        let live = self.live.subscribe();
        let mut past = Vec::new();
        if let Some(since) = since {
            let older = journal.path.with_extension("jsonl.1");
            past = read(&older)
                .into_iter()
                .chain(read(&journal.path))
                .filter(|event| event.time_nano >= since)
                .collect();
        }
        (past, live)
    }

    /// How many were told since the engine began.
    pub(crate) fn count(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> usize {
        self.live.receiver_count()
    }
}

impl Journal {
    fn write(&mut self, event: &Event) -> Result<(), DaemonError> {
        let mut line = serde_json::to_vec(event).expect("events are plain data");
        line.push(b'\n');
        if self.size > LIMIT {
            let older = self.path.with_extension("jsonl.1");
            fs::rename(&self.path, older).map_err(DaemonError::io("turn the journal over"))?;
            (self.file, self.size) = append(&self.path)?;
        }
        self.file
            .write_all(&line)
            .map_err(DaemonError::io("write the journal"))?;
        self.size += line.len() as u64;
        Ok(())
    }
}

fn append(path: &Path) -> Result<(File, u64), DaemonError> {
    let fail = || DaemonError::io(format!("open {}", path.display()));
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(path)
        .map_err(fail())?;
    let size = file.metadata().map_err(fail())?.len();
    // A killed writer may have left half a line; the next one starts on its own.
    if size > 0 && !fs::read(path).map_err(fail())?.ends_with(b"\n") {
        file.write_all(b"\n").map_err(fail())?;
    }
    Ok((file, size))
}

/// Whole lines only: a half-written one is not an event.
fn read(path: &Path) -> Vec<Event> {
    let Ok(file) = File::open(path) else {
        return Vec::new();
    };
    let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
    lines
        .filter_map(|line| serde_json::from_slice(&line).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Scratch;

    #[test]
    fn events_survive_a_restart_and_half_a_line() {
        let scratch = Scratch::new();
        let events = Events::open(scratch.path()).unwrap();
        events.emit("container", "create", "c1", BTreeMap::new());
        events.emit("container", "start", "c1", BTreeMap::new());
        drop(events);
        let path = scratch.path().join("events.jsonl");
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"Type\":\"cont")
            .unwrap();
        let events = Events::open(scratch.path()).unwrap();
        events.emit("container", "die", "c1", BTreeMap::new());
        let (past, _live) = events.listen(Some(0));
        let actions: Vec<_> = past.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(actions, ["create", "start", "die"]);
        assert!(
            past.windows(2)
                .all(|pair| pair[0].time_nano < pair[1].time_nano)
        );
    }
}

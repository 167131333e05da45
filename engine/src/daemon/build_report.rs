//! What a client of a build reads: the classic builder's sentences, in the order of the Dockerfile.
//!
//! Stages build at the same time; a stage that is not the first unfinished one has its sentences kept until its turn.
//! Our own client asks for events instead, which it gets at once.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::mpsc;

use crate::api::types::{ErrorDetail, Progress};
use crate::build::{Event, Report};
use crate::oci::Digest;

/// Bytes of one stage's output that wait for its turn.
const WAITING_LIMIT: usize = 16 << 20;

/// How a client wants to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportStyle {
    /// The classic builder's sentences.
    #[default]
    Classic,
    /// Only the id at the end (`--quiet`).
    Quiet,
    /// Events as they happen.
    Events,
}

/// The stream of one build.
#[derive(Debug)]
pub struct BuildReport {
    style: ReportStyle,
    out: mpsc::Sender<Progress>,
    turns: Mutex<Turns>,
    started: std::time::Instant,
}

#[derive(Debug, Default)]
struct Turns {
    stages: usize,
    current: usize,
    /// Sentences of stages whose turn has not come.
    waiting: BTreeMap<usize, (Vec<Progress>, usize)>,
    done: Vec<usize>,
}

impl BuildReport {
    /// A report and the stream it feeds.
    pub fn new(style: ReportStyle) -> (Self, mpsc::Receiver<Progress>) {
        let (out, stream) = mpsc::channel(64);
        let report = Self {
            style,
            out,
            turns: Mutex::default(),
            started: std::time::Instant::now(),
        };
        (report, stream)
    }

    /// How many stages there are.
    pub(crate) fn plan(&self, stages: usize) {
        self.turns.lock().expect("no panic while holding it").stages = stages;
    }

    /// Returns when the client has gone.
    pub(crate) async fn closed(&self) {
        self.out.closed().await;
    }

    fn send(&self, progress: Progress) {
        // Nobody reads any more: the build is being cancelled.
        let _ = self.out.blocking_send(progress);
    }

    /// A sentence.
    pub(crate) fn text(&self, text: &str) {
        if self.style != ReportStyle::Quiet {
            self.send(stream(text));
        }
    }

    /// The id, for programs.
    pub(crate) fn built(&self, id: &Digest) {
        let aux = Some(serde_json::json!({ "ID": id }));
        self.send(Progress {
            aux,
            ..Progress::default()
        });
    }

    /// The steps that the image went through, for a client that exports the cache.
    pub(crate) fn steps(&self, keys: &[Digest]) {
        if self.style == ReportStyle::Events {
            self.send(Progress {
                id: Some("quai.steps".into()),
                aux: Some(serde_json::json!(keys)),
                ..Progress::default()
            });
        }
    }

    /// The end of a build that succeeded.
    pub(crate) fn success(&self, id: &Digest) {
        match self.style {
            ReportStyle::Quiet => self.send(stream(&format!("{id}\n"))),
            _ => self.send(stream(&format!("Successfully built {}\n", id.short()))),
        }
    }

    /// A name.
    pub(crate) fn tagged(&self, name: &str) {
        self.text(&format!("Successfully tagged {name}\n"));
    }

    /// The end of a build that failed.
    pub(crate) fn fail(&self, message: &str, code: Option<i64>) {
        // What a later stage has said and nobody has heard yet: the reason may be in it.
        let waiting = {
            let mut turns = self.turns.lock().expect("no panic while holding it");
            std::mem::take(&mut turns.waiting)
        };
        for (messages, _) in waiting.into_values() {
            for message in messages {
                self.send(message);
            }
        }
        let error_detail = Some(ErrorDetail {
            code,
            message: message.to_owned(),
        });
        self.send(Progress {
            error_detail,
            error: Some(message.to_owned()),
            ..Progress::default()
        });
    }

    fn event(&self, stage: usize, event: &Event) -> Progress {
        let mut body = match event {
            Event::Step {
                name,
                number,
                total,
                text,
                ..
            } => {
                serde_json::json!({ "kind": "step", "name": name, "number": number, "total": total, "text": text })
            }
            Event::Cached => serde_json::json!({ "kind": "cached" }),
            Event::Running(id) => serde_json::json!({ "kind": "running", "container": id }),
            Event::Output { is_error, bytes } => serde_json::json!({
                "kind": "output", "error": is_error, "text": String::from_utf8_lossy(bytes),
            }),
            Event::Removed(id) => serde_json::json!({ "kind": "removed", "container": id }),
            Event::Image(id) => serde_json::json!({ "kind": "image", "id": id }),
            Event::Note(text) => serde_json::json!({ "kind": "note", "text": text }),
            Event::Warning(text) => serde_json::json!({ "kind": "warning", "text": text }),
            Event::Pull(message) => serde_json::json!({ "kind": "pull", "message": message }),
        };
        body["stage"] = stage.into();
        body["at"] = u64::try_from(self.started.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .into();
        Progress {
            id: Some("quai.build".into()),
            aux: Some(body),
            ..Progress::default()
        }
    }
}

impl Report for BuildReport {
    fn tell(&self, stage: usize, event: Event) {
        match self.style {
            ReportStyle::Quiet => return,
            ReportStyle::Events => return self.send(self.event(stage, &event)),
            ReportStyle::Classic => {}
        }
        let Some(progress) = classic(&event) else {
            return;
        };
        let mut turns = self.turns.lock().expect("no panic while holding it");
        if stage == turns.current {
            return self.send(progress);
        }
        let (waiting, bytes) = turns.waiting.entry(stage).or_default();
        let size = progress.stream.as_ref().map_or(64, String::len);
        if *bytes + size <= WAITING_LIMIT {
            *bytes += size;
            waiting.push(progress);
        }
    }

    fn done(&self, stage: usize) {
        if self.style == ReportStyle::Events {
            let body = serde_json::json!({
                "kind": "done", "stage": stage,
                "at": u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
            return self.send(Progress {
                id: Some("quai.build".into()),
                aux: Some(body),
                ..Progress::default()
            });
        }
        let mut turns = self.turns.lock().expect("no panic while holding it");
        turns.done.push(stage);
        while turns.done.contains(&turns.current) {
            turns.current += 1;
            let current = turns.current;
            if let Some((waiting, _)) = turns.waiting.remove(&current) {
                waiting.into_iter().for_each(|progress| self.send(progress));
            }
        }
    }

    fn skipped(&self, stage: usize) {
        if self.style != ReportStyle::Events {
            self.done(stage);
        }
    }
}

fn stream(text: &str) -> Progress {
    Progress {
        stream: Some(text.to_owned()),
        ..Progress::default()
    }
}

/// The classic builder's sentence for an event.
fn classic(event: &Event) -> Option<Progress> {
    Some(stream(&match event {
        Event::Step {
            number,
            total,
            text,
            ..
        } => format!("Step {number}/{total} : {text}\n"),
        Event::Cached => " ---> Using cache\n".to_owned(),
        Event::Running(id) => format!(" ---> Running in {}\n", &id[..12]),
        Event::Output {
            is_error: false,
            bytes,
        } => String::from_utf8_lossy(bytes).into_owned(),
        Event::Output {
            is_error: true,
            bytes,
        } => format!("\u{1b}[91m{}\u{1b}[0m", String::from_utf8_lossy(bytes)),
        Event::Removed(id) => format!(" ---> Removed intermediate container {}\n", &id[..12]),
        Event::Image(id) => format!(" ---> {id}\n"),
        Event::Note(text) => text.clone(),
        Event::Warning(text) => format!("[Warning] {text}\n"),
        Event::Pull(message) => return serde_json::from_value(message.clone()).ok(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_come_in_the_order_of_the_stages() {
        let (report, mut stream) = BuildReport::new(ReportStyle::Classic);
        report.plan(2);
        report.tell(1, Event::Note("second".into()));
        report.tell(0, Event::Note("first".into()));
        report.done(1);
        report.tell(0, Event::Note("still first".into()));
        report.done(0);
        let mut texts = Vec::new();
        while let Ok(progress) = stream.try_recv() {
            texts.extend(progress.stream);
        }
        assert_eq!(texts, ["first", "still first", "second"]);
    }
}

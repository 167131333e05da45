//! Reading what containers printed. Their shims write it, also while no daemon runs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::logs::Stream;
use crate::logs::reader::{Entry, Reader};

use super::container::Ends;
use super::log_driver::Readable;
use super::{Daemon, DaemonError};

/// Which lines a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Go on with what is printed from now on.
    pub follow: bool,
    /// Only lines printed since then.
    pub since: Option<Timestamp>,
    /// Only lines printed until then.
    pub until: Option<Timestamp>,
    /// Only the last lines.
    pub tail: Option<usize>,
}

/// One line (or a piece of a long one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub time: Timestamp,
    /// Whether it went to standard error.
    pub is_stderr: bool,
    /// The text with its line end.
    pub text: String,
    /// What `--details` shows: labels and variables that the log's options chose.
    pub attributes: Vec<(String, String)>,
}

impl From<Entry> for LogLine {
    fn from(entry: Entry) -> Self {
        Self {
            time: entry.time,
            is_stderr: entry.stream == Stream::Stderr,
            text: entry.text,
            attributes: entry.attributes,
        }
    }
}

impl LogOptions {
    fn wants(&self, line: &LogLine) -> bool {
        (if line.is_stderr {
            self.stderr
        } else {
            self.stdout
        }) && self.since.is_none_or(|since| line.time >= since)
            && self.until.is_none_or(|until| line.time <= until)
    }
}

impl Daemon {
    /// Whether a container's log is one raw stream.
    pub fn has_terminal(&self, text: &str) -> Result<bool, DaemonError> {
        Ok(self.container(text)?.lock().record.config.tty)
    }

    /// The log of a container, line by line.
    pub async fn logs(
        self: &Arc<Self>,
        text: &str,
        options: LogOptions,
    ) -> Result<mpsc::Receiver<LogLine>, DaemonError> {
        if !options.stdout && !options.stderr {
            let text = "Bad parameters: you must choose at least one stream";
            return Err(DaemonError::Invalid(text.into()));
        }
        let container = self.container(text)?;
        let log = self
            .readable_log(&container.record())
            .ok_or(DaemonError::UnreadableLog)?;
        let ends = container.ends.subscribe();
        let (give, take) = mpsc::channel(256);
        tokio::task::spawn_blocking(move || {
            let mut reader = None;
            if options.tail != Some(0) || !options.follow {
                let (past, last) = read_past(&log, &options, &give);
                reader = last;
                for line in past {
                    if give.blocking_send(line).is_err() {
                        return;
                    }
                }
            } else if let Some(mut last) = Reader::open(&log.path, log.format) {
                while last.next_entry().is_some() {}
                reader = Some(last);
            }
            if options.follow {
                follow(&log, reader, &options, &ends, &give);
            }
        });
        Ok(take)
    }

    /// All that a container printed until now.
    pub(crate) async fn past_logs(
        self: &Arc<Self>,
        id: &str,
        options: LogOptions,
    ) -> Result<Vec<LogLine>, DaemonError> {
        let record = self.container(id)?.record();
        let log = self
            .readable_log(&record)
            .ok_or(DaemonError::UnreadableLog)?;
        // Everything is wanted at once: `tail` keeps it together.
        let all = LogOptions {
            tail: Some(options.tail.unwrap_or(usize::MAX)),
            ..options
        };
        let (give, _take) = mpsc::channel(1);
        self.block(move |_| Ok(read_past(&log, &all, &give).0.into()))
            .await
    }
}

/// Reads the lines so far. With `tail` they are collected, otherwise given out as they are read, so that a long log
/// needs no memory. Returns what was collected, and a reader that stands after them.
fn read_past(
    log: &Readable,
    options: &LogOptions,
    give: &mpsc::Sender<LogLine>,
) -> (VecDeque<LogLine>, Option<Reader>) {
    let mut lines = VecDeque::new();
    let mut last = None;
    for mut reader in Reader::open_all(&log.path, log.format) {
        while let Some(entry) = reader.next_entry() {
            let line = LogLine::from(entry);
            if !options.wants(&line) {
                continue;
            }
            match options.tail {
                None => {
                    if give.blocking_send(line).is_err() {
                        return (VecDeque::new(), None);
                    }
                }
                Some(tail) => {
                    lines.push_back(line);
                    if lines.len() > tail {
                        lines.pop_front();
                    }
                }
            }
        }
        last = Some(reader);
    }
    // A log that was never written has no reader; nor has one whose last file is a packed one.
    (lines, last.filter(Reader::grows))
}

/// Looks for new lines until the container has ended and all were read.
fn follow(
    log: &Readable,
    mut reader: Option<Reader>,
    options: &LogOptions,
    ends: &watch::Receiver<Ends>,
    give: &mpsc::Sender<LogLine>,
) {
    loop {
        let over = !ends.borrow().running;
        if reader.is_none() {
            reader = Reader::open(&log.path, log.format);
        }
        let mut any = false;
        if let Some(entries) = &mut reader {
            while let Some(entry) = entries.next_entry() {
                any = true;
                let line = LogLine::from(entry);
                if options.until.is_some_and(|until| line.time > until) {
                    return;
                }
                if options.wants(&line) && give.blocking_send(line).is_err() {
                    return;
                }
            }
            if !any && entries.is_turned_over(&log.path) {
                reader = None;
                continue;
            }
        }
        let too_late = options.until.is_some_and(|until| Timestamp::now() > until);
        if too_late || give.is_closed() {
            return;
        }
        // What has just been read may end a file that was turned over: the rest is in the next one.
        if !any {
            if over {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::reader::Format;
    use crate::store::tests::Scratch;

    fn line(n: u32, stream: &str) -> String {
        format!(
            "{{\"log\":\"{n}\\n\",\"stream\":\"{stream}\",\"time\":\"2026-01-01T00:00:0{n}.5Z\"}}\n"
        )
    }

    #[test]
    fn who_follows_reads_the_next_file_though_the_container_has_ended() {
        let scratch = Scratch::new();
        let path = scratch.path().join("log");
        std::fs::write(&path, line(1, "stdout")).unwrap();
        let reader = Reader::open(&path, Format::Json);
        std::fs::rename(&path, scratch.path().join("log.1")).unwrap();
        std::fs::write(&path, line(2, "stdout")).unwrap();
        let log = Readable {
            path,
            format: Format::Json,
        };
        let options = LogOptions {
            stdout: true,
            ..LogOptions::default()
        };
        let (_running, ends) = watch::channel(Ends::default());
        let (give, mut take) = mpsc::channel(16);
        follow(&log, reader, &options, &ends, &give);
        drop(give);
        let texts: Vec<_> = std::iter::from_fn(|| take.blocking_recv())
            .map(|line| line.text)
            .collect();
        assert_eq!(texts, ["1\n", "2\n"]);
    }

    #[test]
    fn the_tail_and_the_streams_are_chosen() {
        let scratch = Scratch::new();
        let path = scratch.path().join("log");
        std::fs::write(scratch.path().join("log.1"), line(1, "stdout")).unwrap();
        let half = "{\"log\":\"half";
        std::fs::write(
            &path,
            line(2, "stderr") + &line(3, "stdout") + &line(4, "stdout") + half,
        )
        .unwrap();
        let log = Readable {
            path,
            format: Format::Json,
        };
        let texts = |options: LogOptions| -> Vec<String> {
            let (give, mut take) = mpsc::channel(16);
            let (mut lines, _) = read_past(&log, &options, &give);
            while let Ok(line) = take.try_recv() {
                lines.push_back(line);
            }
            lines.into_iter().map(|line| line.text).collect()
        };
        let both = LogOptions {
            stdout: true,
            stderr: true,
            ..LogOptions::default()
        };
        assert_eq!(texts(both), ["1\n", "2\n", "3\n", "4\n"]);
        assert_eq!(
            texts(LogOptions {
                tail: Some(1),
                ..both
            }),
            ["4\n"]
        );
        assert_eq!(
            texts(LogOptions {
                stderr: false,
                ..both
            }),
            ["1\n", "3\n", "4\n"]
        );
        let since = "2026-01-01T00:00:03Z".parse().ok();
        assert_eq!(texts(LogOptions { since, ..both }), ["3\n", "4\n"]);
    }
}

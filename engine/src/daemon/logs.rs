//! Reading what containers printed. Their shims write it, also while no daemon runs.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use super::container::Ends;
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
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    log: String,
    #[serde(default)]
    stream: String,
    time: Timestamp,
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
        if container.lock().record.host_config.log_config.kind == "none" {
            return Err(DaemonError::Unsupported(
                "reading the logs of the logging driver \"none\"".into(),
            ));
        }
        let (path, ends) = (self.log_path(&container.id), container.ends.subscribe());
        let (give, take) = mpsc::channel(256);
        tokio::task::spawn_blocking(move || {
            let (past, reader) = read_past(&path, &options);
            for line in past {
                if give.blocking_send(line).is_err() {
                    return;
                }
            }
            if options.follow {
                follow(&path, reader, &options, &ends, &give);
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
        let path = self.log_path(id);
        self.block(move |_| Ok(read_past(&path, &options).0)).await
    }
}

/// The lines so far, and a reader that stands after them.
fn read_past(path: &Path, options: &LogOptions) -> (Vec<LogLine>, Option<LineReader>) {
    let mut lines = VecDeque::new();
    let mut keep = |line: LogLine| {
        if options.wants(&line) {
            lines.push_back(line);
            if options.tail.is_some_and(|tail| lines.len() > tail) {
                lines.pop_front();
            }
        }
    };
    // Rotated files, the oldest first.
    let mut number = 1;
    while rotated(path, number).exists() {
        number += 1;
    }
    for number in (1..number).rev() {
        if let Some(mut reader) = LineReader::open(&rotated(path, number)) {
            while let Some(line) = reader.next() {
                keep(line);
            }
        }
    }
    let mut reader = LineReader::open(path);
    if let Some(reader) = &mut reader {
        while let Some(line) = reader.next() {
            keep(line);
        }
    }
    (lines.into(), reader)
}

fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Looks for new lines until the container has ended and all were read.
fn follow(
    path: &Path,
    mut reader: Option<LineReader>,
    options: &LogOptions,
    ends: &watch::Receiver<Ends>,
    give: &mpsc::Sender<LogLine>,
) {
    loop {
        let over = !ends.borrow().running;
        let reader_now = match &mut reader {
            Some(reader) => Some(reader),
            None => {
                reader = LineReader::open(path);
                reader.as_mut()
            }
        };
        let mut any = false;
        if let Some(lines) = reader_now {
            while let Some(line) = lines.next() {
                any = true;
                if options.until.is_some_and(|until| line.time > until) {
                    return;
                }
                if options.wants(&line) && give.blocking_send(line).is_err() {
                    return;
                }
            }
            if !any && lines.was_rotated(path) {
                reader = None;
                continue;
            }
        }
        if over || give.is_closed() {
            return;
        }
        if !any {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Reads whole lines of a growing file.
struct LineReader {
    file: BufReader<std::fs::File>,
    partial: Vec<u8>,
}

impl LineReader {
    fn open(path: &Path) -> Option<Self> {
        let file = std::fs::File::open(path).ok()?;
        Some(Self {
            file: BufReader::new(file),
            partial: Vec::new(),
        })
    }

    fn next(&mut self) -> Option<LogLine> {
        loop {
            // Without this a reader that has seen the end would not look again.
            if self.file.buffer().is_empty() {
                let position = self.file.stream_position().ok()?;
                self.file.seek(SeekFrom::Start(position)).ok()?;
            }
            self.file
                .by_ref()
                .read_until(b'\n', &mut self.partial)
                .ok()?;
            if !self.partial.ends_with(b"\n") {
                return None;
            }
            let line = std::mem::take(&mut self.partial);
            if let Ok(entry) = serde_json::from_slice::<Entry>(&line) {
                return Some(LogLine {
                    time: entry.time,
                    is_stderr: entry.stream == "stderr",
                    text: entry.log,
                });
            }
        }
    }

    /// Whether another file has taken the name.
    fn was_rotated(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let ours = self
            .file
            .get_ref()
            .metadata()
            .map(|metadata| metadata.ino());
        let named = std::fs::metadata(path).map(|metadata| metadata.ino());
        matches!((ours, named), (Ok(ours), Ok(named)) if ours != named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Scratch;

    #[test]
    fn the_tail_and_the_streams_are_chosen() {
        let scratch = Scratch::new();
        let path = scratch.path().join("log");
        let line = |n: u32, stream: &str| {
            format!(
                "{{\"log\":\"{n}\\n\",\"stream\":\"{stream}\",\"time\":\"2026-01-01T00:00:0{n}.5Z\"}}\n"
            )
        };
        std::fs::write(rotated(&path, 1), line(1, "stdout")).unwrap();
        let half = "{\"log\":\"half";
        std::fs::write(
            &path,
            line(2, "stderr") + &line(3, "stdout") + &line(4, "stdout") + half,
        )
        .unwrap();
        let texts = |options: LogOptions| -> Vec<String> {
            read_past(&path, &options)
                .0
                .into_iter()
                .map(|line| line.text)
                .collect()
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

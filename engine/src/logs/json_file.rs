//! The `json-file` driver: one JSON object per line, in files that are rotated.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The text, with its newline unless it is a part of a longer line.
    pub log: String,
    /// Where it came from.
    pub stream: Stream,
    /// When it was read from the container.
    pub time: jiff::Timestamp,
}

/// Which stream a text came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A longer line is split, so that memory is bounded.
const LINE_MAX: usize = 16 << 10;

/// An open log.
#[derive(Debug)]
pub struct JsonFile {
    path: PathBuf,
    file: File,
    size: u64,
    max_size: u64,
    max_file: u32,
    partial: [Vec<u8>; 2],
}

impl JsonFile {
    /// Opens the log, going on where it ended. `max_size` 0 means no rotation.
    pub fn open(path: &Path, max_size: u64, max_file: u32) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self {
            path: path.to_owned(),
            size: file.metadata()?.len(),
            file,
            max_size,
            max_file: max_file.max(1),
            partial: [Vec::new(), Vec::new()],
        })
    }

    /// Takes bytes of a stream; whole lines are written at once.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let time = jiff::Timestamp::now();
        let mut partial = std::mem::take(&mut self.partial[stream as usize]);
        let mut out = Vec::with_capacity(bytes.len() + 128);
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            partial.extend_from_slice(piece);
            while partial.len() > LINE_MAX {
                let rest = partial.split_off(whole_characters(&partial, LINE_MAX));
                entry(&mut out, stream, time, &partial);
                partial = rest;
            }
            if partial.ends_with(b"\n") {
                entry(&mut out, stream, time, &partial);
                partial.clear();
            }
        }
        self.partial[stream as usize] = partial;
        self.append(&out)
    }

    /// Writes what is left of a line without an end; the stream has ended.
    pub fn finish(&mut self, stream: Stream) -> io::Result<()> {
        let partial = std::mem::take(&mut self.partial[stream as usize]);
        if partial.is_empty() {
            return Ok(());
        }
        let mut out = Vec::new();
        entry(&mut out, stream, jiff::Timestamp::now(), &partial);
        self.append(&out)
    }

    fn append(&mut self, out: &[u8]) -> io::Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        if self.max_size > 0 && self.size > 0 && self.size + out.len() as u64 > self.max_size {
            self.rotate()?;
        }
        self.file.write_all(out)?;
        self.size += out.len() as u64;
        Ok(())
    }

    /// `log` becomes `log.1`, `log.1` becomes `log.2`, …; the oldest goes.
    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |n: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        for n in (1..self.max_file.saturating_sub(1)).rev() {
            let _ = std::fs::rename(numbered(n), numbered(n + 1));
        }
        if self.max_file > 1 {
            std::fs::rename(&self.path, numbered(1))?;
        } else {
            std::fs::remove_file(&self.path)?;
        }
        self.file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

fn entry(out: &mut Vec<u8>, stream: Stream, time: jiff::Timestamp, text: &[u8]) {
    let entry = Entry {
        log: String::from_utf8_lossy(text).into_owned(),
        stream,
        time,
    };
    serde_json::to_writer(&mut *out, &entry).expect("an entry has string keys only");
    out.push(b'\n');
}

/// The longest prefix of at most `limit` bytes that does not cut a UTF-8 character.
fn whole_characters(bytes: &[u8], limit: usize) -> usize {
    let is_start = |&at: &usize| bytes[at] & 0xc0 != 0x80;
    (limit.saturating_sub(3)..=limit)
        .rev()
        .find(is_start)
        .unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("quai-log-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir.join("c-json.log")
    }

    fn lines(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let entry = |line| serde_json::from_str::<Entry>(line).unwrap().log;
        text.lines().map(entry).collect()
    }

    #[test]
    fn a_line_is_written_when_it_is_whole() {
        let path = place("whole");
        let mut log = JsonFile::open(&path, 0, 1).unwrap();
        log.write(Stream::Stdout, b"a\nb").unwrap();
        log.write(Stream::Stderr, b"x\n").unwrap();
        log.write(Stream::Stdout, b"c\n").unwrap();
        log.write(Stream::Stdout, b"end").unwrap();
        log.finish(Stream::Stdout).unwrap();
        assert_eq!(lines(&path), ["a\n", "x\n", "bc\n", "end"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let path = place("long");
        let mut log = JsonFile::open(&path, 0, 1).unwrap();
        let text = "é".repeat(20_000);
        log.write(Stream::Stdout, text.as_bytes()).unwrap();
        log.finish(Stream::Stdout).unwrap();
        assert_eq!(lines(&path).concat(), text);
        assert!(lines(&path).len() >= 2);
    }

    #[test]
    fn rotation_keeps_so_many_files() {
        let path = place("rotation");
        let mut log = JsonFile::open(&path, 200, 3).unwrap();
        for n in 0..20 {
            let line = format!("line {n}\n");
            log.write(Stream::Stdout, line.as_bytes()).unwrap();
        }
        let files = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 3);
        assert_eq!(lines(&path).last().unwrap(), "line 19\n");
    }
}

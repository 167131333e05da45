//! Reading the files that the drivers wrote, also while they grow and are turned over.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use super::local;
use super::message::Stream;
use super::rotate;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `json-file`.
    Json,
    /// `local`.
    Frames,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was printed.
    pub time: Timestamp,
    /// Where it came from.
    pub stream: Stream,
    /// The text with its line end.
    pub text: String,
    /// What the entry carries besides its text.
    pub attributes: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct JsonEntry {
    #[serde(default)]
    log: String,
    stream: Stream,
    #[serde(default)]
    attrs: std::collections::BTreeMap<String, String>,
    time: Timestamp,
}

/// Reads entries of a file that may grow.
pub struct Reader {
    from: Box<dyn Read + Send>,
    /// The file that grows, to see when it is turned over.
    file: Option<File>,
    format: Format,
    buffer: Vec<u8>,
    /// How much of the buffer was given out.
    taken: usize,
}

impl Reader {
    /// All files of a log, the oldest first; the last one is the one that grows.
    pub fn open_all(path: &Path, format: Format) -> Vec<Self> {
        let open = |(path, compressed): (PathBuf, bool)| {
            if compressed {
                let file = File::open(path).ok()?;
                Some(Self::over(
                    Box::new(flate2::read::GzDecoder::new(file)),
                    None,
                    format,
                ))
            } else {
                Self::open(&path, format)
            }
        };
        rotate::files(path).into_iter().filter_map(open).collect()
    }

    /// The file that grows, if it is there.
    pub fn open(path: &Path, format: Format) -> Option<Self> {
        let file = File::open(path).ok()?;
        let same = file.try_clone().ok()?;
        Some(Self::over(Box::new(file), Some(same), format))
    }

    fn over(from: Box<dyn Read + Send>, file: Option<File>, format: Format) -> Self {
        Self {
            from,
            file,
            format,
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// Whether the file may grow.
    pub fn grows(&self) -> bool {
        self.file.is_some()
    }

    /// The next whole entry there is now. Damaged ones are left out.
    pub fn next_entry(&mut self) -> Option<Entry> {
        loop {
            let found = match self.format {
                Format::Json => self.next_line(),
                Format::Frames => self.next_frame(),
            };
            match found {
                Some(Some(entry)) => return Some(entry),
                Some(None) => {}
                None => {
                    if !self.read_more().unwrap_or(false) {
                        return None;
                    }
                }
            }
        }
    }

    /// Whether the file has ended for good: another has taken its name, or it was emptied.
    pub fn is_turned_over(&self, path: &Path) -> bool {
        use std::io::Seek;
        use std::os::unix::fs::MetadataExt;
        let Some(file) = &self.file else {
            return true;
        };
        let (Ok(ours), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else {
            return false;
        };
        let position = (&*file).stream_position().unwrap_or(0);
        ours.ino() != named.ino() || named.len() < position
    }

    fn read_more(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        local::read_more(&mut self.from, &mut self.buffer)
    }

    /// A line: an entry, or nothing that can be read.
    fn next_line(&mut self) -> Option<Option<Entry>> {
        let rest = &self.buffer[self.taken..];
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let entry = serde_json::from_slice::<JsonEntry>(&rest[..end]).ok();
        self.taken += end + 1;
        Some(entry.map(|entry| Entry {
            time: entry.time,
            stream: entry.stream,
            text: entry.log,
            attributes: entry.attrs.into_iter().collect(),
        }))
    }

    fn next_frame(&mut self) -> Option<Option<Entry>> {
        match local::decode_at(&self.buffer, &mut self.taken) {
            Ok(found) => found.map(|entry| {
                Some(Entry {
                    time: entry.time,
                    stream: entry.stream,
                    text: String::from_utf8_lossy(&entry.text).into_owned(),
                    attributes: Vec::new(),
                })
            }),
            // Nothing after a damaged frame can be found again.
            Err(_) => {
                self.taken = self.buffer.len();
                None
            }
        }
    }
}

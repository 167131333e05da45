//! A file that is rotated: `log` becomes `log.1`, that one `log.2`, …; the oldest goes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::spec::FileSpec;

/// An open log file.
#[derive(Debug)]
pub(super) struct Rotated {
    spec: FileSpec,
    file: File,
    size: u64,
}

impl Rotated {
    /// Opens the file, going on where it ended.
    pub(super) fn open(spec: &FileSpec) -> io::Result<Self> {
        if let Some(folder) = spec.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = append(&spec.path)?;
        Ok(Self {
            size: file.metadata()?.len(),
            file,
            spec: spec.clone(),
        })
    }

    /// Writes whole entries, in the next file when this one is full.
    pub(super) fn append(&mut self, entries: &[u8]) -> io::Result<()> {
        let full = self.spec.max_size > 0 && self.size >= self.spec.max_size;
        if full && self.size > 0 {
            self.rotate()?;
        }
        self.file.write_all(entries)?;
        self.size += entries.len() as u64;
        Ok(())
    }

    /// Bytes until the file is full; `None` when it never is.
    pub(super) fn room(&self) -> Option<u64> {
        (self.spec.max_size > 0).then(|| self.spec.max_size.saturating_sub(self.size))
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.spec.max_file > 1 {
            for number in (1..self.spec.max_file - 1).rev() {
                for compressed in [false, true] {
                    let name = |number| numbered(&self.spec.path, number, compressed);
                    // Most numbers do not exist yet.
                    let _ = std::fs::rename(name(number), name(number + 1));
                }
            }
            let first = numbered(&self.spec.path, 1, false);
            std::fs::rename(&self.spec.path, &first)?;
            if self.spec.compress {
                compress(&first)?;
            }
            self.file = append(&self.spec.path)?;
        } else {
            // Readers that follow see a shorter file, and begin again.
            self.file.set_len(0)?;
        }
        self.size = 0;
        Ok(())
    }
}

/// `log.N`, or `log.N.gz`.
pub(super) fn numbered(path: &Path, number: u32, compressed: bool) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    if compressed {
        name.push(".gz");
    }
    name.into()
}

fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

/// Replaces a file by its compressed form; a crash in between leaves the plain one.
fn compress(path: &Path) -> io::Result<()> {
    let mut target = path.as_os_str().to_owned();
    target.push(".gz");
    let target = PathBuf::from(target);
    let mut beside = target.clone().into_os_string();
    beside.push(".new");
    let mut encoder =
        flate2::write::GzEncoder::new(File::create(&beside)?, flate2::Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?;
    std::fs::rename(&beside, &target)?;
    std::fs::remove_file(path)
}

/// All files of a log, the oldest first, each with whether it is compressed.
pub(super) fn files(path: &Path) -> Vec<(PathBuf, bool)> {
    let mut found = Vec::new();
    for number in 1.. {
        let plain = numbered(path, number, false);
        let packed = numbered(path, number, true);
        // Both exist only after a crash in the middle of compressing: the plain one is whole.
        if plain.exists() {
            found.push((plain, false));
        } else if packed.exists() {
            found.push((packed, true));
        } else {
            break;
        }
    }
    found.reverse();
    found.push((path.to_owned(), false));
    found
}

//! JSON records that are either the old or the new, never half.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

const TEMPORARY: &str = ".unfinished-";

/// What a written record survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of the power.
    PowerCut,
    /// The end of this process: enough for what a reboot ends anyway. It costs no wait for the disk.
    Crash,
}

/// Replaces the file `path`: written aside, synced, renamed, and the folder synced.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let aside = dir.join(temporary_name());
    let write = || -> std::io::Result<()> {
        let mut file = File::create_new(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    if let Err(source) = write() {
        // The first failure is the one worth telling.
        let _ = fs::remove_file(&aside);
        return Err(StoreError::io("write", path, source));
    }
    sync_dir(dir)
}

/// Replaces the file `path` without waiting for the disk.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let aside = path.with_file_name(temporary_name());
    let written = fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, path));
    written.map_err(|source| {
        // The first failure is the one worth telling.
        let _ = fs::remove_file(&aside);
        StoreError::io("write", path, source)
    })
}

/// Makes renames in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| StoreError::io("sync", dir, source))
}

/// A name for something unfinished, recognised by [`is_temporary`].
pub(super) fn temporary_name() -> String {
    format!(
        "{TEMPORARY}{:016x}",
        getrandom::u64().expect("the kernel has random numbers")
    )
}

pub(super) fn is_temporary(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| name.starts_with(TEMPORARY))
}

/// A record with its name, or why it could not be read.
pub type Loaded<T> = Result<(String, T), StoreError>;

/// A folder with one sub-folder per record: `DIR/<id>/record.json`.
#[derive(Debug)]
pub struct Records<T> {
    dir: PathBuf,
    kind: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Records<T> {
    /// Opens the folder, making it if missing.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|source| StoreError::io("make", dir, source))?;
        Ok(Self {
            dir: dir.to_owned(),
            kind: PhantomData,
        })
    }

    /// The folder of one record.
    pub fn dir(&self, id: &str) -> PathBuf {
        self.dir.join(id)
    }

    /// Writes a record, making its folder if missing.
    pub fn save(&self, id: &str, record: &T, durability: Durability) -> Result<(), StoreError> {
        let dir = self.dir(id);
        fs::create_dir_all(&dir).map_err(|source| StoreError::io("make", &dir, source))?;
        let bytes = serde_json::to_vec_pretty(record).expect("records are plain data");
        let path = dir.join("record.json");
        match durability {
            Durability::PowerCut => write_atomically(&path, &bytes),
            Durability::Crash => replace(&path, &bytes),
        }
    }

    /// Removes what a crash left: folders without a record are creations or removals that were cut short, and a
    /// record without a byte was not meant to survive the end of the power. Only before anybody uses the records.
    pub fn clear_unfinished(&self) -> Result<(), StoreError> {
        let entries =
            fs::read_dir(&self.dir).map_err(|source| StoreError::io("list", &self.dir, source))?;
        for entry in entries.filter_map(Result::ok) {
            let Ok(id) = entry.file_name().into_string() else {
                continue;
            };
            let is_unfinished = match fs::metadata(entry.path().join("record.json")) {
                Ok(record) => record.len() == 0,
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            };
            if is_unfinished && let Err(error) = self.remove(&id) {
                tracing::warn!("{error}");
            }
        }
        Ok(())
    }

    /// Reads all records; damaged ones are returned as errors beside the good ones, unfinished ones are passed over.
    pub fn load_all(&self) -> Result<Vec<Loaded<T>>, StoreError> {
        let entries =
            fs::read_dir(&self.dir).map_err(|source| StoreError::io("list", &self.dir, source))?;
        let mut all = Vec::new();
        for entry in entries.filter_map(Result::ok) {
            let Ok(id) = entry.file_name().into_string() else {
                continue;
            };
            let path = entry.path().join("record.json");
            match fs::read(&path) {
                // Somebody is making or removing it.
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => all.push(Err(StoreError::io("read", &path, source))),
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => all.push(match serde_json::from_slice(&bytes) {
                    Ok(record) => Ok((id, record)),
                    Err(source) => Err(StoreError::Damaged { path, source }),
                }),
            }
        }
        Ok(all)
    }

    /// Removes a record and its folder: the record first, so that a half-removed folder is not taken for a container.
    pub fn remove(&self, id: &str) -> Result<(), StoreError> {
        let dir = self.dir(id);
        match fs::remove_file(dir.join("record.json")) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &dir, source));
            }
            _ => {}
        }
        match fs::remove_dir_all(&dir) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", &dir, source))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder that is removed at the end of a test.
    pub(crate) struct Scratch(PathBuf);

    impl Scratch {
        pub(crate) fn new() -> Self {
            let path =
                std::env::temp_dir().join(format!("quai-test-{:016x}", getrandom::u64().unwrap()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_folder_without_a_record_is_cleared() {
        let scratch = Scratch::new();
        let records = Records::<u32>::open(scratch.path()).unwrap();
        records.save("whole", &1, Durability::Crash).unwrap();
        fs::create_dir(scratch.path().join("half")).unwrap();
        fs::create_dir(scratch.path().join("empty")).unwrap();
        fs::write(scratch.path().join("empty/record.json"), "").unwrap();
        assert_eq!(records.load_all().unwrap().len(), 1);
        assert!(
            scratch.path().join("half").exists(),
            "whoever lists does not clear what another one is making"
        );
        records.clear_unfinished().unwrap();
        assert_eq!(records.load_all().unwrap().len(), 1);
        assert!(!scratch.path().join("half").exists());
        assert!(!scratch.path().join("empty").exists());
    }

    #[test]
    fn a_damaged_record_hides_no_other() {
        let scratch = Scratch::new();
        let records = Records::<u32>::open(scratch.path()).unwrap();
        records.save("good", &1, Durability::PowerCut).unwrap();
        records.save("bad", &2, Durability::PowerCut).unwrap();
        fs::write(records.dir("bad").join("record.json"), b"{").unwrap();
        let all = records.load_all().unwrap();
        assert_eq!(all.iter().filter(|entry| entry.is_ok()).count(), 1);
        assert_eq!(all.iter().filter(|entry| entry.is_err()).count(), 1);
    }
}

//! Ranges of user and group ids: each belongs to one machine until the machine's files are gone.
//!
//! A range is taken by creating its file (`O_EXCL`), so two helpers could never take the same one.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::machine::identity::MachineId;
use crate::machine::spec::IDS;

/// First id of the first range: far above what hosts and their containers use.
const FIRST: u32 = 0x7000_0000;
/// How many ranges the default DATA has.
const COUNT: u32 = 4096;
/// Another DATA has one of the blocks that follow, so that its machines share no id with those of
/// the default one, and hardly ever with those of a third.
const BLOCKS: u32 = 112;
/// How many ranges a block has.
const BLOCK: u32 = 256;

/// The folder of taken ranges, the first id it gives, and how many ranges follow it.
pub(super) struct Ranges {
    folder: PathBuf,
    first: u32,
    count: u32,
}

/// Why no range could be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum RangeError {
    /// The folder cannot be read or written.
    #[error("cannot use {path}")]
    Folder {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// All are taken.
    #[error("all {count} ranges of ids are taken")]
    Full {
        /// How many there are.
        count: u32,
    },
}

/// The number of a range among those of all DATA: different machines of a host hardly ever share one.
pub(super) fn number(base: u32) -> u32 {
    base.saturating_sub(FIRST) / IDS
}

impl Ranges {
    /// The ranges of a DATA; see [`DataDir::realm`](crate::machine::data::DataDir::realm).
    pub(super) fn open(folder: PathBuf, realm: Option<u32>) -> Result<Self, RangeError> {
        fs::create_dir_all(&folder).map_err(|e| failed(&folder, e))?;
        let (first, count) = match realm {
            None => (FIRST, COUNT),
            Some(realm) => (FIRST + COUNT * IDS + (realm % BLOCKS) * BLOCK * IDS, BLOCK),
        };
        Ok(Self {
            folder,
            first,
            count,
        })
    }

    /// The range of a machine: the one it has, or the first free one.
    pub(super) fn take(&self, id: &MachineId) -> Result<u32, RangeError> {
        if let Some((base, _)) = self.all()?.into_iter().find(|(_, owner)| owner == id) {
            return Ok(base);
        }
        for n in 0..self.count {
            let base = self.first + n * IDS;
            let path = self.file(base);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    let written = file.write_all(id.to_string().as_bytes());
                    written.map_err(|e| failed(&path, e))?;
                    return Ok(base);
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed(&path, e)),
            }
        }
        Err(RangeError::Full { count: self.count })
    }

    /// Gives the range of a machine back. Call it when no file of the machine is left.
    pub(super) fn give_back(&self, id: &MachineId) -> Result<(), RangeError> {
        for (base, owner) in self.all()? {
            if owner == *id {
                let path = self.file(base);
                fs::remove_file(&path).map_err(|e| failed(&path, e))?;
            }
        }
        Ok(())
    }

    /// Every taken range and its machine.
    pub(super) fn all(&self) -> Result<Vec<(u32, MachineId)>, RangeError> {
        let entries = fs::read_dir(&self.folder).map_err(|e| failed(&self.folder, e))?;
        let read = |entry: io::Result<fs::DirEntry>| {
            let path = entry.ok()?.path();
            let base = u32::from_str_radix(path.file_name()?.to_str()?, 16).ok()?;
            let owner = MachineId::parse(&fs::read_to_string(&path).ok()?)?;
            Some((base, owner))
        };
        Ok(entries.filter_map(read).collect())
    }

    fn file(&self, base: u32) -> PathBuf {
        self.folder.join(format!("{base:08x}"))
    }
}

fn failed(path: &Path, source: io::Error) -> RangeError {
    RangeError::Folder {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_kept_disjoint_and_reused_only_after_they_are_given_back() {
        let ranges = Ranges::open(crate::test_folder("ranges"), None).unwrap();
        let id = |n: u32| MachineId::parse(&format!("m-{n:012x}")).unwrap();
        let first = ranges.take(&id(1)).unwrap();
        let second = ranges.take(&id(2)).unwrap();
        assert!(first >= FIRST && second >= first + IDS);
        assert_eq!(ranges.take(&id(1)).unwrap(), first);
        ranges.give_back(&id(1)).unwrap();
        assert_eq!(ranges.take(&id(3)).unwrap(), first);
    }

    #[test]
    fn another_data_folder_has_other_ids() {
        let id = MachineId::parse("m-000000000001").unwrap();
        let default = Ranges::open(crate::test_folder("ranges-a"), None).unwrap();
        let other = Ranges::open(crate::test_folder("ranges-b"), Some(u32::MAX)).unwrap();
        let (one, two) = (default.take(&id).unwrap(), other.take(&id).unwrap());
        assert!(two >= one + COUNT * IDS);
        assert!(two.checked_add(BLOCK * IDS).is_some(), "ids end at 2³²");
    }
}

//! What is known of a machine across helpers: a number that may have been reused, and the start
//! time that tells whether it was.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use kernel::process;
use serde::{Deserialize, Serialize};

use super::verbs::Start;
use crate::machine::spec::Network;

/// `DATA/machines/<id>/record.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The keeper's number on the host.
    pub(super) pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks between boot and its start.
    pub(super) start_time: u64,
    /// Which boot.
    pub(super) boot: String,
    /// First of the machine's ids.
    pub(super) base: u32,
    /// The image of its root.
    pub(super) image: String,
    /// What it may reach.
    #[serde(default)]
    pub(super) network: Network,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// Its file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process ended before it was recorded.
    #[error("the keeper has ended already")]
    Ended,
}

impl Record {
    /// Describes a live keeper.
    pub(super) fn of(pid: i32, base: u32, wish: &Start) -> Result<Self, RecordError> {
        Ok(Self {
            pid,
            start_time: start_time(pid).ok_or(RecordError::Ended)?,
            boot: boot(),
            base,
            image: wish.image.clone(),
            network: wish.network,
        })
    }

    /// Reads the record of a machine's folder; a missing or damaged one is none.
    pub(super) fn load(folder: &Path) -> Option<Self> {
        let bytes = fs::read(folder.join("record.json")).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes it, as a whole or not at all.
    pub(super) fn save(&self, folder: &Path) -> Result<(), RecordError> {
        let path = folder.join("record.json");
        let unfinished = folder.join("record.json.new");
        let bytes = serde_json::to_vec(self).expect("a record is plain data");
        fs::write(&unfinished, bytes)
            .and_then(|()| fs::rename(&unfinished, &path))
            .map_err(|source| RecordError::File { path, source })
    }

    /// Forgets it.
    pub(super) fn remove(folder: &Path) -> Result<(), RecordError> {
        let path = folder.join("record.json");
        match fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(RecordError::File { path, source })
            }
            _ => Ok(()),
        }
    }

    /// The keeper, if this very process still lives.
    pub(super) fn keeper(&self) -> Option<OwnedFd> {
        // Opened first: from then on the number cannot come to mean another process.
        let pidfd = process::pidfd_open(self.pid).ok()?;
        let same = self.boot == boot() && start_time(self.pid) == Some(self.start_time);
        same.then_some(pidfd)
    }
}

fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses and may hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    (fields.next()? != "Z").then_some(())?;
    fields.nth(18)?.parse().ok()
}

fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_finds_its_process_and_no_other() {
        let line = r#"{"id":"m-0123456789ab","image":"x"}"#;
        let wish: Start = serde_json::from_str(line).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let mut record = Record::of(own, 1, &wish).unwrap();
        assert!(record.keeper().is_some());
        record.start_time += 1;
        assert!(record.keeper().is_none());
    }

    #[test]
    fn a_damaged_record_is_none() {
        let folder = crate::test_folder("record");
        fs::write(folder.join("record.json"), "{").unwrap();
        assert_eq!(Record::load(&folder), None);
    }
}

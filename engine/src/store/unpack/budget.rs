//! How much an archive may become: the rest of the disk stays for who unpacks it.

use std::path::Path;

use kernel::error::SysError;
use kernel::fs::{Room, room};

/// What one archive may still use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    bytes: u64,
    entries: u64,
}

/// An archive that wants more than there is.
#[derive(Debug, thiserror::Error)]
#[error("no space left on device: what is left of the disk beside its reserve is too little")]
pub struct Exceeded;

/// Bytes that stay free on any disk: for the engine's own records, and for cleaning up.
const RESERVE: u64 = 1 << 30;

impl Budget {
    /// For archives whose size others bound.
    pub(crate) const UNBOUNDED: Self = Self {
        bytes: u64::MAX,
        entries: u64::MAX,
    };

    /// All that the file system of `path` has left but a reserve of a twentieth, at most a gibibyte.
    pub fn of(path: &Path) -> Result<Self, SysError> {
        Ok(Self::within(room(path)?))
    }

    fn within(room: Room) -> Self {
        let files = match room.files {
            // btrfs counts none.
            0 => u64::MAX,
            files => room.free_files.saturating_sub(files / 20),
        };
        Self {
            bytes: room
                .free_bytes
                .saturating_sub((room.bytes / 20).min(RESERVE)),
            entries: files,
        }
    }

    /// Takes one entry with so many bytes out of it.
    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), Exceeded> {
        self.entries = self.entries.checked_sub(1).ok_or(Exceeded)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Exceeded)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_stays_free() {
        let room = Room {
            bytes: 2000,
            free_bytes: 500,
            files: 200,
            free_files: 12,
        };
        let mut budget = Budget::within(room);
        budget.spend(400).unwrap();
        budget.spend(1).unwrap_err();
        budget.spend(0).unwrap_err();
        let none = Budget::within(Room { files: 0, ..room });
        assert_eq!(none.entries, u64::MAX);
    }
}

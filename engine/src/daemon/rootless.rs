//! An ordinary user's engine: what the daemon does differently.

use crate::rootless::Door;

use super::DaemonError;

/// Whether the engine is an ordinary user's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rootless {
    /// It is root's.
    #[default]
    No,
    /// It is, and has yet to enter its namespaces.
    Outside,
    /// It is in its namespaces; this descriptor leads to its parent.
    Inside {
        /// Its number.
        door: i32,
    },
}

impl Rootless {
    /// Decides by the flag that [`crate::rootless::enter`] adds, and by who runs this.
    pub(super) fn of(door: Option<i32>) -> Self {
        match door {
            Some(door) => Self::Inside { door },
            None if kernel::process::effective_uid() != 0 => Self::Outside,
            None => Self::No,
        }
    }

    /// Takes over the connection to the parent.
    pub(super) fn door(self) -> Result<Option<Door>, DaemonError> {
        match self {
            Self::Inside { door } => Ok(Some(Door::inherited(door)?)),
            Self::No | Self::Outside => Ok(None),
        }
    }
}

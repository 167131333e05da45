//! How many requests and sockets may be under way: each holds a few descriptors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::machine::identity::MachineId;

/// To all machines together.
const ALL: usize = 256;
/// To one machine, so that no learner takes them all.
const ONE: usize = 64;

/// The places that are left.
pub(super) struct Places {
    all: Arc<Semaphore>,
    each: Mutex<HashMap<MachineId, Arc<Semaphore>>>,
}

/// A place; free again when this is dropped.
pub(super) struct Place {
    _all: OwnedSemaphorePermit,
    _one: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            each: Mutex::default(),
        }
    }
}

impl Places {
    /// A place on the way to a machine, if one is left.
    pub(super) fn take(&self, machine: &MachineId) -> Option<Place> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        each.retain(|known, places| known == machine || places.available_permits() < ONE);
        let one = each
            .entry(machine.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(ONE)));
        Some(Place {
            _one: Arc::clone(one).try_acquire_owned().ok()?,
            _all: Arc::clone(&self.all).try_acquire_owned().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_machine_never_takes_the_places_of_all() {
        let places = Places::default();
        let one = MachineId::parse("m-000000000001").unwrap();
        let two = MachineId::parse("m-000000000002").unwrap();
        let taken: Vec<_> = (0..ONE).filter_map(|_| places.take(&one)).collect();
        assert_eq!(taken.len(), ONE);
        assert!(places.take(&one).is_none());
        assert!(places.take(&two).is_some());
        drop(taken);
        assert!(places.take(&one).is_some());
        assert_eq!(
            places.each.lock().unwrap().len(),
            1,
            "the idle are forgotten"
        );
    }
}

//! The five sets of capabilities of a process; see capabilities(7).

use std::str::FromStr;

use caps::{CapSet, Capability, CapsHashSet};

use crate::error::SysError;

/// Capabilities as a set of bits, as `/proc/PID/status` shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set(pub u64);

impl Set {
    /// The bit of a capability named as in the manual, with or without `CAP_`, in any case.
    pub fn of(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let full = if upper.starts_with("CAP_") {
            upper
        } else {
            format!("CAP_{upper}")
        };
        Capability::from_str(&full)
            .ok()
            .map(|cap| Self(cap.bitmask()))
    }

    /// Those in either.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in the first and not in the second.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` are here.
    pub fn holds(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn members(self) -> CapsHashSet {
        caps::all()
            .into_iter()
            .filter(|cap| self.0 & cap.bitmask() != 0)
            .collect()
    }
}

/// The bounding set of this process: the most it can ever have.
pub fn bounding() -> Result<Set, SysError> {
    let set = caps::read(None, CapSet::Bounding).map_err(|e| wrong("prctl PR_CAPBSET_READ", &e))?;
    Ok(Set(set.iter().fold(0, |bits, cap| bits | cap.bitmask())))
}

/// Takes everything else out of the bounding set.
pub fn limit_bounding(keep: Set) -> Result<(), SysError> {
    for cap in bounding()?.without(keep).members() {
        caps::drop(None, CapSet::Bounding, cap).map_err(|e| wrong("prctl PR_CAPBSET_DROP", &e))?;
    }
    Ok(())
}

/// Gives this process exactly these effective and permitted capabilities; nothing is inherited
/// through `execve` but what root and file capabilities bring.
pub fn set(effective: Set, permitted: Set) -> Result<(), SysError> {
    let wrong = |e| wrong("capset", &e);
    caps::clear(None, CapSet::Inheritable).map_err(wrong)?;
    caps::set(None, CapSet::Effective, &effective.members()).map_err(wrong)?;
    caps::set(None, CapSet::Permitted, &permitted.members()).map_err(wrong)
}

fn wrong(call: &'static str, error: &caps::errors::CapsError) -> SysError {
    SysError {
        call,
        object: Some(error.to_string()),
        source: std::io::Error::last_os_error(),
    }
}

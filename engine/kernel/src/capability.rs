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

/// Every capability that this program knows, as `CAP_…`.
pub fn names() -> Vec<String> {
    let mut all: Vec<Capability> = caps::all().into_iter().collect();
    all.sort_by_key(Capability::index);
    all.iter().map(ToString::to_string).collect()
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

/// All five sets of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// The most it can ever have; see [`limit_bounding`].
    pub bounding: Set,
    /// What it may do now.
    pub effective: Set,
    /// What it may take.
    pub permitted: Set,
    /// What a program's inheritable file capabilities may bring.
    pub inheritable: Set,
    /// What survives the execution of an ordinary program.
    pub ambient: Set,
}

/// Gives this process its sets but the bounding one; see capset(2), PR_CAP_AMBIENT(2const).
///
/// Of the ambient set only what is permitted and inheritable can be had: the rest is left out.
pub fn assign(sets: &Sets) -> Result<(), SysError> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let half = |set: Set, shift: u32| u32::try_from(set.0 >> shift & 0xffff_ffff).unwrap_or(0);
    let data = [0, 32].map(|shift| Data {
        effective: half(sets.effective, shift),
        permitted: half(sets.permitted, shift),
        inheritable: half(sets.inheritable, shift),
    });
    // SAFETY: capset(2) reads one header and, in this version, two data structures through
    // pointers to live locals.
    let ret = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    SysError::check("capset", ret)?;
    caps::clear(None, CapSet::Ambient).map_err(|e| wrong("prctl PR_CAP_AMBIENT", &e))?;
    let possible = Set(sets.ambient.0 & sets.permitted.0 & sets.inheritable.0);
    for cap in possible.members() {
        caps::raise(None, CapSet::Ambient, cap).map_err(|e| wrong("prctl PR_CAP_AMBIENT", &e))?;
    }
    Ok(())
}

fn wrong(call: &'static str, error: &caps::errors::CapsError) -> SysError {
    SysError {
        call,
        object: Some(error.to_string()),
        source: std::io::Error::last_os_error(),
    }
}

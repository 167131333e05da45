//! The system call filter of a container, compiled to BPF by libseccomp; see seccomp(2).
//!
//! Two programs are stacked: an allow-list of calls, and a list of refused arguments, because one
//! program cannot say "all but these two values". The kernel applies the stricter answer.

mod narrow;
mod profile;
mod table;
mod young;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::sync::{Mutex, OnceLock, PoisonError};

use kernel::capability::Set;
use kernel::error::SysError;
use libseccomp::error::SeccompError;
use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall,
};

use super::request::SeccompSpec;

/// A filter that cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The library refuses.
    #[error("libseccomp refuses the rule for {call}")]
    Rule {
        /// For which system call.
        call: String,
        /// Why.
        source: SeccompError,
    },
    /// The program cannot be written.
    #[error("cannot write the filter program")]
    Export(#[source] SeccompError),
    /// There is no memory file for the program.
    #[error("cannot make a memory file for the filter program")]
    Memory(#[source] SysError),
    /// The program cannot be read back.
    #[error("cannot read the filter program")]
    Read(#[source] std::io::Error),
    /// The profile is not what Docker's are.
    #[error("Decoding seccomp profile failed: {0}")]
    Profile(String),
}

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

/// Compiles the filter of a wish: BPF programs, to be loaded one after the other. `None`: no
/// filter.
pub(crate) fn compile(
    spec: &SeccompSpec,
    capabilities: Option<u64>,
) -> Result<Option<Vec<u8>>, FilterError> {
    let capabilities = Set(capabilities.unwrap_or(u64::MAX));
    match spec {
        SeccompSpec::Unconfined => Ok(None),
        SeccompSpec::Profile(json) => profile::compile(json, capabilities).map(Some),
        SeccompSpec::Usual => usual(capabilities).map(Some),
    }
}

/// The usual filter is compiled once for each set of capabilities: it takes milliseconds.
fn usual(capabilities: Set) -> Result<Vec<u8>, FilterError> {
    static READY: OnceLock<Mutex<HashMap<u64, Vec<u8>>>> = OnceLock::new();
    let ready = READY.get_or_init(Mutex::default);
    let lock = || ready.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = lock().get(&capabilities.0) {
        return Ok(program.clone());
    }
    let program = join(&[allow_list(capabilities, &[])?, refused_arguments()?]);
    lock().insert(capabilities.0, program.clone());
    Ok(program)
}

/// Programs in one string of bytes, each after its length.
pub(super) fn join(programs: &[Vec<u8>]) -> Vec<u8> {
    let mut joined = Vec::new();
    for program in programs {
        let length = u32::try_from(program.len()).expect("programs are short");
        joined.extend_from_slice(&length.to_be_bytes());
        joined.extend_from_slice(program);
    }
    joined
}

/// The programs that [`join`] has joined.
pub(crate) fn programs(joined: &[u8]) -> Vec<&[u8]> {
    let mut rest = joined;
    let mut found = Vec::new();
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let length = (u32::from_be_bytes(*head) as usize).min(tail.len());
        let (program, after) = tail.split_at(length);
        found.push(program);
        rest = after;
    }
    found
}

/// Of the usual filter the program that lists which calls may be made with these capabilities, and `also` these.
pub fn allow_list(capabilities: Set, also: &[&str]) -> Result<Vec<u8>, FilterError> {
    let mut filter = new_filter(ScmpAction::Errno(EPERM))?;
    for name in table::ALLOWED.iter().chain(narrow::ALLOWED).chain(also) {
        allow(&mut filter, name, &[])?;
    }
    let has = |name: &str| Set::of(name).is_some_and(|set| capabilities.holds(set));
    for (capability, names) in table::WITH_CAPABILITY {
        for name in names.iter().filter(|_| has(capability)) {
            allow(&mut filter, name, &[])?;
        }
    }
    if has("SYS_ADMIN") {
        allow(&mut filter, "clone3", &[])?;
    } else {
        let none = ScmpArgCompare::new(0, ScmpCompareOp::MaskedEqual(table::NAMESPACE_FLAGS), 0);
        allow(&mut filter, "clone", &[none])?;
        // Its flags lie in memory, out of a filter's sight: the C library falls back to clone.
        rule(&mut filter, ScmpAction::Errno(ENOSYS), "clone3", &[])?;
    }
    for personality in table::PERSONALITIES {
        let equal = ScmpArgCompare::new(0, ScmpCompareOp::Equal, personality);
        allow(&mut filter, "personality", &[equal])?;
    }
    let mut program = young::prologue();
    program.extend(export(&filter)?);
    Ok(program)
}

fn refused_arguments() -> Result<Vec<u8>, FilterError> {
    let mut filter = new_filter(ScmpAction::Allow)?;
    // The kernel reads 32 bits of these arguments: whatever stands above them counts for nothing.
    let low = |argument, value| {
        [ScmpArgCompare::new(
            argument,
            ScmpCompareOp::MaskedEqual(0xffff_ffff),
            value,
        )]
    };
    for request in table::DENIED_IOCTLS {
        rule(
            &mut filter,
            ScmpAction::Errno(EPERM),
            "ioctl",
            &low(1, request),
        )?;
    }
    for family in table::DENIED_FAMILIES {
        rule(
            &mut filter,
            ScmpAction::Errno(EPERM),
            "socket",
            &low(0, family),
        )?;
    }
    export(&filter)
}

fn new_filter(default: ScmpAction) -> Result<ScmpFilterContext, FilterError> {
    new_filter_for(default, &usual_architectures())
}

/// 32-bit programs are common in images; the x32 interface is not.
fn usual_architectures() -> Vec<ScmpArch> {
    match ScmpArch::native() {
        ScmpArch::X8664 => vec![ScmpArch::X8664, ScmpArch::X86],
        other => vec![other],
    }
}

fn new_filter_for(
    default: ScmpAction,
    architectures: &[ScmpArch],
) -> Result<ScmpFilterContext, FilterError> {
    let mut filter = ScmpFilterContext::new(default).map_err(FilterError::Export)?;
    // A binary search instead of one comparison for each call.
    let set = filter
        .set_ctl_optimize(2)
        .and_then(|filter| filter.set_act_badarch(ScmpAction::Errno(EPERM)));
    set.map_err(FilterError::Export)?;
    for &arch in architectures {
        filter.add_arch(arch).map_err(FilterError::Export)?;
    }
    Ok(filter)
}

fn allow(
    filter: &mut ScmpFilterContext,
    name: &str,
    arguments: &[ScmpArgCompare],
) -> Result<(), FilterError> {
    rule(filter, ScmpAction::Allow, name, arguments)
}

pub(super) fn rule(
    filter: &mut ScmpFilterContext,
    action: ScmpAction,
    name: &str,
    arguments: &[ScmpArgCompare],
) -> Result<(), FilterError> {
    let Ok(call) = ScmpSyscall::from_name(name) else {
        // A call of another architecture: nothing to allow.
        return Ok(());
    };
    let added = if arguments.is_empty() {
        filter.add_rule(action, call)
    } else {
        filter.add_rule_conditional(action, call, arguments)
    };
    added.map(drop).map_err(|source| FilterError::Rule {
        call: name.to_owned(),
        source,
    })
}

pub(super) fn export(filter: &ScmpFilterContext) -> Result<Vec<u8>, FilterError> {
    let memory = kernel::fs::memfd(c"seccomp").map_err(FilterError::Memory)?;
    filter.export_bpf(&memory).map_err(FilterError::Export)?;
    let mut file = File::from(memory);
    let mut program = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut program))
        .map_err(FilterError::Read)?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_filter_is_two_whole_programs() {
        let joined = compile(&SeccompSpec::Usual, Some(0xa804_25fb))
            .unwrap()
            .unwrap();
        let programs = programs(&joined);
        assert_eq!(programs.len(), 2);
        for program in programs {
            assert!(!program.is_empty() && program.len() % 8 == 0 && program.len() < 4096 * 8);
        }
    }

    #[test]
    fn the_library_knows_every_name_but_the_young_ones() {
        let young: Vec<&str> = table::YOUNG.iter().map(|(name, _)| *name).collect();
        for name in table::ALLOWED.iter().chain(narrow::ALLOWED) {
            let known = ScmpSyscall::from_name(name).is_ok();
            assert!(known || young.contains(name), "{name}");
        }
    }

    #[test]
    fn more_capabilities_allow_more() {
        let size = |bits| usual(Set(bits)).unwrap().len();
        assert!(size(u64::MAX) > size(0xa804_25fb));
    }
}

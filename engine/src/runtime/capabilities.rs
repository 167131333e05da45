//! Which of root's powers a container keeps; see capabilities(7).

use kernel::capability::Set;

use super::plan::PlanError;
use super::request::CapabilitySpec;

/// What root keeps in every container: enough to install packages, too little to leave.
// ANCHOR: usual-capabilities
pub const USUAL: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];
// ANCHOR_END: usual-capabilities

/// The bits a wish comes to; `None` for all that the stage has.
pub(crate) fn resolve(spec: &CapabilitySpec) -> Result<Option<u64>, PlanError> {
    let CapabilitySpec::Usual { add, drop } = spec else {
        return Ok(None);
    };
    let is_all = |name: &String| name.eq_ignore_ascii_case("all");
    let usual = USUAL.iter().filter_map(|name| Set::of(name));
    let usual = usual.fold(Set::default(), Set::with);
    let (added, dropped) = (named(add)?, named(drop)?);
    // Docker's order: ALL on one side is the base that the other side's names change.
    let bits = match (add.iter().any(is_all), drop.iter().any(is_all)) {
        (true, true) => added,
        (true, false) => Set(u64::MAX).without(dropped),
        (false, true) => added,
        (false, false) => usual.with(added).without(dropped),
    };
    Ok(Some(bits.0))
}

fn named(names: &[String]) -> Result<Set, PlanError> {
    let mut set = Set::default();
    for name in names
        .iter()
        .filter(|name| !name.eq_ignore_ascii_case("all"))
    {
        let one = Set::of(name).ok_or_else(|| PlanError::Invalid {
            what: "capability",
            value: name.clone(),
        })?;
        set = set.with(one);
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(add: &[&str], drop: &[&str], expected: u64) {
        let words = |list: &[&str]| list.iter().map(|&w| w.to_owned()).collect();
        let spec = CapabilitySpec::Usual {
            add: words(add),
            drop: words(drop),
        };
        assert_eq!(resolve(&spec).unwrap(), Some(expected), "{add:?} {drop:?}");
    }

    #[test]
    fn names_are_added_and_dropped() {
        // The number every Docker user has seen in /proc/self/status.
        check(&[], &[], 0xa804_25fb);
        check(&["net_admin"], &[], 0xa804_25fb | 1 << 12);
        check(&[], &["CAP_MKNOD"], 0xa804_25fb & !(1 << 27));
        check(&["chown"], &["all"], 1);
        check(&["ALL"], &["sys_admin"], !(1 << 21));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let spec = CapabilitySpec::Usual {
            add: vec!["FLY".into()],
            drop: Vec::new(),
        };
        assert!(resolve(&spec).is_err());
    }
}

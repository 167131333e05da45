//! Devices: the few every container has, those asked for, and the rules of the device controller.

use super::plan::PlanError;
use super::request::{CapabilitySpec, RunRequest};
use crate::stage::Stage;

/// A character device every container has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual {
    /// Its name in `/dev`.
    pub(crate) name: &'static str,
    /// Its numbers.
    pub(crate) numbers: (u32, u32),
}

/// The character devices every container has.
pub(crate) const USUAL: [Usual; 6] = [
    usual("null", 1, 3),
    usual("zero", 1, 5),
    usual("full", 1, 7),
    usual("random", 1, 8),
    usual("urandom", 1, 9),
    usual("tty", 5, 0),
];

const fn usual(name: &'static str, major: u32, minor: u32) -> Usual {
    Usual {
        name,
        numbers: (major, minor),
    }
}

/// The lines of the device controller; `None` where the container may use what its stage may.
///
/// In a stage only the helper, which is root on the host, can write such rules: there the list of
/// the whole machine holds, and devices are bound, never made.
pub(crate) fn rules(request: &RunRequest, stage: &Stage) -> Result<Option<Vec<String>>, PlanError> {
    for rule in &request.resources.device_rules {
        check(rule)?;
    }
    let privileged = request.process.capabilities == CapabilitySpec::All;
    if privileged || matches!(stage, Stage::Inner { .. }) {
        return Ok(None);
    }
    // Making any node is allowed, opening only these.
    let mut lines = vec!["c *:* m".to_owned(), "b *:* m".to_owned()];
    for Usual {
        numbers: (major, minor),
        ..
    } in USUAL
    {
        lines.push(format!("c {major}:{minor} rwm"));
    }
    lines.extend(["c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm"].map(String::from));
    lines.extend(request.resources.device_rules.iter().cloned());
    Ok(Some(lines))
}

fn check(rule: &str) -> Result<(), PlanError> {
    let words: Vec<_> = rule.split(' ').collect();
    let number = |n: &str| n == "*" || n.parse::<u32>().is_ok();
    let good = match words.as_slice() {
        [kind, numbers, rights] => {
            matches!(*kind, "a" | "b" | "c")
                && numbers
                    .split_once(':')
                    .is_some_and(|(a, b)| number(a) && number(b))
                && !rights.is_empty()
                && rights.chars().all(|c| "rwm".contains(c))
        }
        _ => false,
    };
    good.then_some(()).ok_or_else(|| PlanError::Invalid {
        what: "device cgroup rule",
        value: rule.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_leaves_devices_to_the_helper() {
        let request = RunRequest::default();
        assert!(rules(&request, &Stage::Host).unwrap().is_some());
        assert!(rules(&request, &Stage::Inner { pid: 7 }).unwrap().is_none());
    }

    #[test]
    fn a_malformed_rule_is_refused() {
        for rule in ["c 1:3", "x 1:3 r", "c 1 r", "c 1:3 q", "c 1:3 rwm\na"] {
            assert!(check(rule).is_err(), "{rule}");
        }
        check("c 10:* rwm").unwrap();
    }
}

//! The processors of a process that enters a container (`execCPUAffinity`); the first process of a container has none.

use super::BundleError;
use crate::oci::runtime_spec::Process;
use crate::runtime::cpu_list;

/// Processors before and after the group of the container is joined; `None` leaves it to the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affinity {
    /// Of the runtime, and so of the process until it is in the group.
    pub first: Option<Vec<usize>>,
    /// Of the process in the group.
    pub last: Option<Vec<usize>>,
}

/// What a process says about it.
pub fn affinity(process: &Process) -> Result<Affinity, BundleError> {
    let Some(wish) = process.exec_cpu_affinity() else {
        return Ok(Affinity::default());
    };
    Ok(Affinity {
        first: list("process.execCPUAffinity.initial", wish.initial().as_deref())?,
        last: list(
            "process.execCPUAffinity.final",
            wish.cpu_affinity_final().as_deref(),
        )?,
    })
}

fn list(what: &'static str, text: Option<&str>) -> Result<Option<Vec<usize>>, BundleError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let numbers = cpu_list::parse(text).ok_or_else(|| BundleError::Invalid {
        what,
        value: text.to_owned(),
    })?;
    let index = |number| usize::try_from(number).expect("processors are few");
    Ok(Some(numbers.into_iter().map(index).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_are_read() {
        let process = serde_json::json!({
            "args": ["sh"], "cwd": "/", "user": {"uid": 0, "gid": 0},
            "execCPUAffinity": {"initial": "0-1", "final": "1"},
        });
        let process: Process = serde_json::from_value(process).unwrap();
        let read = affinity(&process).unwrap();
        assert_eq!(read.first, Some(vec![0, 1]));
        assert_eq!(read.last, Some(vec![1]));
        assert!(list("x", Some("1-0")).is_err());
        assert_eq!(list("x", Some("")).unwrap(), None);
    }
}

//! Filters that users write, in the JSON format of Docker's own profiles.

use kernel::capability::Set;
use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp};
use serde::Deserialize;

use super::{FilterError, export, join, new_filter, rule};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<i32>,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    names: Vec<String>,
    name: Option<String>,
    action: String,
    errno_ret: Option<i32>,
    #[serde(default)]
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: Option<Condition>,
    #[serde(default)]
    excludes: Option<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

#[derive(Default, Deserialize)]
struct Condition {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
}

/// Compiles a profile for a process with these capabilities.
pub(super) fn compile(json: &str, capabilities: Set) -> Result<Vec<u8>, FilterError> {
    // The words of the decoder quote nothing of the file: it may be one the caller cannot read.
    let wrong = |e: serde_json::Error| {
        FilterError::Profile(format!("line {} column {}", e.line(), e.column()))
    };
    let profile: Profile = serde_json::from_str(json).map_err(wrong)?;
    let default = action(&profile.default_action, profile.default_errno_ret)?;
    let mut filter = new_filter(default)?;
    for entry in &profile.syscalls {
        if !entry.applies(capabilities) {
            continue;
        }
        let wanted = action(&entry.action, entry.errno_ret)?;
        if wanted == default {
            continue;
        }
        let arguments = entry.args.as_deref().unwrap_or_default();
        let arguments: Vec<_> = arguments
            .iter()
            .map(Argument::compare)
            .collect::<Result<_, _>>()?;
        for name in entry.names.iter().chain(&entry.name) {
            // Several comparisons of one argument are alternatives to the library.
            let mut indexes: Vec<_> = entry.args.iter().flatten().map(|a| a.index).collect();
            indexes.sort_unstable();
            indexes.dedup();
            if indexes.len() < arguments.len() {
                for argument in &arguments {
                    rule(&mut filter, wanted, name, std::slice::from_ref(argument))?;
                }
            } else {
                rule(&mut filter, wanted, name, &arguments)?;
            }
        }
    }
    Ok(join(&[export(&filter)?]))
}

impl Rule {
    fn applies(&self, capabilities: Set) -> bool {
        let has = |name: &String| Set::of(name).is_some_and(|set| capabilities.holds(set));
        let here = |arch: &String| arch == std::env::consts::ARCH || arch == "amd64";
        let included = self.includes.as_ref().is_none_or(|only| {
            only.caps.iter().all(has) && (only.arches.is_empty() || only.arches.iter().any(here))
        });
        let excluded = self
            .excludes
            .as_ref()
            .is_some_and(|not| not.caps.iter().any(has) || not.arches.iter().any(here));
        included && !excluded
    }
}

impl Argument {
    fn compare(&self) -> Result<ScmpArgCompare, FilterError> {
        let (op, value) = match self.op.as_str() {
            "SCMP_CMP_NE" => (ScmpCompareOp::NotEqual, self.value),
            "SCMP_CMP_LT" => (ScmpCompareOp::Less, self.value),
            "SCMP_CMP_LE" => (ScmpCompareOp::LessOrEqual, self.value),
            "SCMP_CMP_EQ" => (ScmpCompareOp::Equal, self.value),
            "SCMP_CMP_GE" => (ScmpCompareOp::GreaterEqual, self.value),
            "SCMP_CMP_GT" => (ScmpCompareOp::Greater, self.value),
            "SCMP_CMP_MASKED_EQ" => (ScmpCompareOp::MaskedEqual(self.value), self.value_two),
            _ => return Err(FilterError::Profile("unknown comparison".into())),
        };
        Ok(ScmpArgCompare::new(self.index, op, value))
    }
}

fn action(name: &str, errno: Option<i32>) -> Result<ScmpAction, FilterError> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => ScmpAction::Allow,
        "SCMP_ACT_ERRNO" => ScmpAction::Errno(errno.unwrap_or(super::EPERM)),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => ScmpAction::KillThread,
        "SCMP_ACT_KILL_PROCESS" => ScmpAction::KillProcess,
        "SCMP_ACT_TRAP" => ScmpAction::Trap,
        "SCMP_ACT_LOG" => ScmpAction::Log,
        _ => return Err(FilterError::Profile("unknown action".into())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_profile_compiles() {
        let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["chmod","fchmod"],"action":"SCMP_ACT_ERRNO"},
            {"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":13,
             "args":[{"index":1,"value":448,"op":"SCMP_CMP_EQ"}]}]}"#;
        assert!(!compile(json, Set::default()).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_is_no_profile_is_not_quoted() {
        let error = compile("root:*:19000:0", Set::default()).unwrap_err();
        assert!(!error.to_string().contains("root"), "{error}");
    }
}

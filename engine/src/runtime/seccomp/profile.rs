//! Filters that users write, in the JSON format of Docker's own profiles.

use kernel::capability::Set;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp};
use serde::Deserialize;

use super::{FilterError, export, join, new_filter_for, rule};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<i32>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    arch_map: Option<Vec<Family>>,
    #[serde(default)]
    flags: Option<Vec<String>>,
    listener_path: Option<String>,
    #[serde(default)]
    syscalls: Option<Vec<Rule>>,
}

/// An architecture and those whose programs it runs besides.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Family {
    architecture: String,
    #[serde(default)]
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    names: Option<Vec<String>>,
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
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default)]
    caps: Option<Vec<String>>,
    #[serde(default)]
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

/// Where a rule may apply: what the process and the kernel are.
struct Place {
    capabilities: Set,
    kernel: (u32, u32),
}

/// Compiles a profile for a process with these capabilities.
pub(super) fn compile(json: &str, capabilities: Set) -> Result<Vec<u8>, FilterError> {
    // The words of the decoder quote nothing of the file: it may be one the caller cannot read.
    let wrong = |e: serde_json::Error| {
        FilterError::Profile(format!("line {} column {}", e.line(), e.column()))
    };
    let profile: Profile = serde_json::from_str(json).map_err(wrong)?;
    let refuse = |words: &str| Err(FilterError::Profile(words.to_owned()));
    if profile.architectures.is_some() && profile.arch_map.is_some() {
        return refuse("both architectures and archMap are specified");
    }
    if profile
        .listener_path
        .as_ref()
        .is_some_and(|path| !path.is_empty())
    {
        return refuse("a listener is not supported here");
    }
    if profile
        .flags
        .as_ref()
        .is_some_and(|flags| !flags.is_empty())
    {
        return refuse("flags are not supported here");
    }
    let place = Place {
        capabilities,
        kernel: running_kernel(),
    };
    let default = action(&profile.default_action, profile.default_errno_ret)?;
    let mut filter = new_filter_for(default, &architectures(&profile)?)?;
    for entry in profile.syscalls.iter().flatten() {
        if entry.name.is_some() && entry.names.as_ref().is_some_and(|n| !n.is_empty()) {
            return refuse("both name and names are specified for a syscall");
        }
        if !entry.applies(&place)? {
            continue;
        }
        let wanted = action(&entry.action, entry.errno_ret)?;
        if wanted == default {
            continue;
        }
        let arguments = entry.args.as_deref().unwrap_or_default();
        let compared: Vec<_> = arguments
            .iter()
            .map(Argument::compare)
            .collect::<Result<_, _>>()?;
        // Several comparisons of one argument are alternatives to the library.
        let mut indexes: Vec<_> = arguments.iter().map(|a| a.index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        for name in entry.names.iter().flatten().chain(&entry.name) {
            if indexes.len() < compared.len() {
                for argument in &compared {
                    rule(&mut filter, wanted, name, std::slice::from_ref(argument))?;
                }
            } else {
                rule(&mut filter, wanted, name, &compared)?;
            }
        }
    }
    Ok(join(&[export(&filter)?]))
}

/// The architectures whose calls the filter knows; all others are refused.
fn architectures(profile: &Profile) -> Result<Vec<ScmpArch>, FilterError> {
    let parse = |name: &String| {
        name.parse::<ScmpArch>()
            .map_err(|_| FilterError::Profile("unknown architecture".to_owned()))
    };
    if let Some(names) = &profile.architectures {
        return names.iter().map(parse).collect();
    }
    let Some(families) = &profile.arch_map else {
        return Ok(super::usual_architectures());
    };
    let mut found = Vec::new();
    for family in families {
        let first = parse(&family.architecture)?;
        if first == ScmpArch::native() {
            found.push(first);
            for name in family.sub_architectures.iter().flatten() {
                found.push(parse(name)?);
            }
        }
    }
    Ok(found)
}

impl Rule {
    fn applies(&self, place: &Place) -> Result<bool, FilterError> {
        let has = |name: &String| Set::of(name).is_some_and(|set| place.capabilities.holds(set));
        let here = |arch: &String| {
            // Go's names, which Docker's profiles use.
            arch == std::env::consts::ARCH
                || matches!(
                    (arch.as_str(), std::env::consts::ARCH),
                    ("amd64", "x86_64") | ("arm64", "aarch64")
                )
        };
        let young = |condition: &Condition| match &condition.min_kernel {
            None => Ok(None),
            Some(text) => version(text)
                .map(|least| Some(place.kernel >= least))
                .ok_or_else(|| FilterError::Profile("unknown kernel version".to_owned())),
        };
        if let Some(not) = &self.excludes {
            let caps = not.caps.iter().flatten().any(has);
            let arches = not.arches.iter().flatten().any(here);
            if caps || arches || young(not)? == Some(true) {
                return Ok(false);
            }
        }
        if let Some(only) = &self.includes {
            let caps = only.caps.iter().flatten().all(has);
            let arches = only.arches.as_deref().unwrap_or_default();
            let arches = arches.is_empty() || arches.iter().any(here);
            if !caps || !arches || young(only)? == Some(false) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The first two numbers of a version such as `4.8`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    Some((major, minor))
}

/// The version of this kernel; one that cannot be read is taken for an old one.
fn running_kernel() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    version(&text).unwrap_or((0, 0))
}

impl Argument {
    fn compare(&self) -> Result<ScmpArgCompare, FilterError> {
        if self.index > 5 {
            return Err(FilterError::Profile("a call has six arguments".into()));
        }
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
    let number = errno.unwrap_or(super::EPERM);
    Ok(match name {
        "SCMP_ACT_ALLOW" => ScmpAction::Allow,
        "SCMP_ACT_ERRNO" => ScmpAction::Errno(number),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => ScmpAction::KillThread,
        "SCMP_ACT_KILL_PROCESS" => ScmpAction::KillProcess,
        "SCMP_ACT_TRAP" => ScmpAction::Trap,
        "SCMP_ACT_TRACE" => ScmpAction::Trace(u16::try_from(number).unwrap_or(0)),
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

    #[track_caller]
    fn applies(condition: &str, expected: bool) {
        let json = format!(r#"{{"names":["chmod"],"action":"SCMP_ACT_ALLOW",{condition}}}"#);
        let rule: Rule = serde_json::from_str(&json).unwrap();
        let place = Place {
            capabilities: Set::of("CAP_SYS_ADMIN").unwrap(),
            kernel: (6, 1),
        };
        assert_eq!(rule.applies(&place).unwrap(), expected, "{condition}");
    }

    #[test]
    fn conditions_choose_the_rules() {
        applies(r#""includes":{"caps":["CAP_SYS_ADMIN"]}"#, true);
        applies(r#""includes":{"caps":["CAP_SYS_TIME"]}"#, false);
        applies(r#""excludes":{"caps":["CAP_SYS_ADMIN"]}"#, false);
        applies(r#""includes":{"arches":["s390x"]}"#, false);
        applies(r#""excludes":{"arches":["s390","s390x"]}"#, true);
        applies(r#""includes":{"minKernel":"4.8"}"#, true);
        applies(r#""includes":{"minKernel":"6.10"}"#, false);
        applies(r#""includes":{},"excludes":{"caps":null}"#, true);
    }

    #[test]
    fn architectures_follow_the_map() {
        let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","archMap":[
            {"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]},
            {"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]}],
            "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#;
        assert!(!compile(json, Set::default()).unwrap().is_empty());
        let profile: Profile = serde_json::from_str(json).unwrap();
        let found = architectures(&profile).unwrap();
        assert!(found.contains(&ScmpArch::native()) && found.len() == 2);
        let both = r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":[],"archMap":[]}"#;
        assert!(compile(both, Set::default()).is_err());
    }
}

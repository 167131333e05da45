//! One process of a container, resolved: what `execve` gets and which rights are left.

use serde::{Deserialize, Serialize};

use super::hooks::Subject;
use super::plan::PlanError;
use super::request::{ProcessSpec, Stdin, TerminalSize};
use super::{capabilities, seccomp};

/// The search path of a container that sets none.
pub const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A process, ready to be made by somebody inside the container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessPlan {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Its environment; `HOME` is added inside, where the user is known.
    pub env: Vec<String>,
    /// Working directory inside the root.
    pub cwd: String,
    /// To be resolved in the container's `/etc/passwd`.
    pub user: String,
    /// To be resolved in the container's `/etc/group`.
    pub groups: Vec<String>,
    /// The size of its terminal, if it has one.
    pub terminal: Option<TerminalSize>,
    /// Its standard input.
    pub stdin: Stdin,
    /// The bits of its bounding set (and of root's others); `None` keeps all that the stage has.
    pub capabilities: Option<u64>,
    /// The BPF program in base64; `None` for no filter.
    pub filter: Option<String>,
    /// Whether `execve` may raise privileges.
    pub no_new_privileges: bool,
    /// Limits by name: soft and hard, -1 unlimited.
    pub rlimits: Vec<super::request::Rlimit>,
    /// Adjustment of the OOM killer's score.
    pub oom_score_adj: Option<i32>,
    /// The AppArmor profile that confines it.
    #[serde(default)]
    pub apparmor: Option<String>,
    /// What only a bundle can wish.
    #[serde(default)]
    pub special: Special,
}

/// What a bundle may wish of a process, and Docker's API may not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Special {
    /// Who it is, by number: nothing is looked up in the image.
    pub ids: Option<Ids>,
    /// The bits that its new files do not get; `None` is 022.
    pub umask: Option<u32>,
    /// Its five sets, instead of those that follow from `capabilities`.
    pub capabilities: Option<CapabilitySets>,
    /// Flags of seccomp(2).
    pub filter_flags: u64,
    /// Who is told of calls with the action "notify".
    pub listener: Option<Listener>,
    /// How many descriptors beyond the three it inherits.
    pub passed: u32,
    /// Whether it has a session keyring of its own.
    pub keyring: Keyring,
    /// How the kernel shares processors and disks with it.
    pub schedule: Schedule,
}

/// Who a process is, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// The five sets of a process as bits; see capabilities(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the manual's own names")]
pub struct CapabilitySets {
    pub bounding: u64,
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub ambient: u64,
}

/// Who is told of system calls with the action "notify".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The socket of whoever supervises.
    pub path: std::path::PathBuf,
    /// What it is told besides.
    pub metadata: String,
    /// The container it is told about.
    pub subject: Subject,
    /// The state of that container.
    pub status: String,
    /// Its first process, when the supervised one is another.
    pub container: Option<i32>,
}

/// Which session keyring a process has; see keyrings(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keyring {
    /// A new one.
    #[default]
    New,
    /// That of whoever started it (`--no-new-keyring`).
    Inherited,
}

/// How the kernel shares processors and disks with a process; `None` leaves what it inherits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Policy, with what belongs to it, as sched_setattr(2) takes it.
    pub policy: Option<Policy>,
    /// Class (1 real-time, 2 best-effort, 3 idle) and level of ioprio_set(2).
    pub disk: Option<(u8, u16)>,
    /// Execution domain of personality(2).
    pub personality: Option<u64>,
    /// The processors it runs on.
    pub processors: Option<Vec<usize>>,
}

/// A scheduling policy and its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name after `SCHED_`.
    pub name: String,
    /// Nice value.
    pub nice: i32,
    /// Real-time priority.
    pub priority: u32,
    /// Flags of sched_setattr(2).
    pub flags: u64,
    /// Run time, deadline and period of `SCHED_DEADLINE`, in nanoseconds.
    pub deadline: (u64, u64, u64),
}

impl ProcessPlan {
    /// Decides what a process gets.
    pub fn of(spec: &ProcessSpec, hostname: &str) -> Result<Self, PlanError> {
        let invalid = |what, value: &str| PlanError::Invalid {
            what,
            value: value.to_owned(),
        };
        if spec.argv.first().is_none_or(String::is_empty) {
            return Err(invalid("command", ""));
        }
        for text in spec.argv.iter().chain(&spec.env) {
            if text.contains('\0') {
                return Err(invalid("argument", text));
            }
        }
        for limit in &spec.rlimits {
            if super::rlimits::resource(&limit.name).is_none() {
                return Err(invalid("ulimit type", &limit.name));
            }
        }
        let capabilities = capabilities::resolve(&spec.capabilities)?;
        let filter = seccomp::compile(&spec.seccomp, capabilities)
            .map_err(PlanError::Seccomp)?
            .map(|program| {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.encode(program)
            });
        Ok(Self {
            argv: spec.argv.clone(),
            env: environment(spec, hostname),
            cwd: if spec.cwd.is_empty() {
                "/".into()
            } else {
                spec.cwd.clone()
            },
            user: spec.user.clone(),
            groups: spec.groups.clone(),
            terminal: spec.terminal,
            stdin: spec.stdin,
            capabilities,
            filter,
            no_new_privileges: spec.no_new_privileges,
            rlimits: spec.rlimits.clone(),
            oom_score_adj: spec.oom_score_adj,
            apparmor: None,
            special: Special::default(),
        })
    }
}

/// What is missing is added before what was asked for; of two equal names the last one counts.
fn environment(spec: &ProcessSpec, hostname: &str) -> Vec<String> {
    let has = |name: &str| spec.env.iter().any(|e| e.split('=').next() == Some(name));
    let mut env = Vec::with_capacity(spec.env.len() + 3);
    if !has("PATH") {
        env.push(PATH.to_owned());
    }
    if !hostname.is_empty() && !has("HOSTNAME") {
        env.push(format!("HOSTNAME={hostname}"));
    }
    if spec.terminal.is_some() && !has("TERM") {
        env.push("TERM=xterm".to_owned());
    }
    for entry in &spec.env {
        let name = entry.split('=').next();
        env.retain(|old: &String| old.split('=').next() != name);
        if entry.contains('=') {
            env.push(entry.clone());
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(env: &[&str]) -> ProcessSpec {
        ProcessSpec {
            argv: vec!["sh".into()],
            env: env.iter().map(|&e| e.to_owned()).collect(),
            ..ProcessSpec::default()
        }
    }

    #[test]
    fn the_last_of_two_equal_names_counts() {
        let env = environment(&spec(&["A=1", "PATH=/x", "A=2"]), "box");
        assert_eq!(env, ["HOSTNAME=box", "PATH=/x", "A=2"]);
    }

    #[test]
    fn a_name_without_a_value_is_removed() {
        assert_eq!(
            environment(&spec(&["A=1", "A"]), "")[1..],
            [] as [String; 0]
        );
    }

    #[test]
    fn no_command_is_refused() {
        let empty = ProcessSpec::default();
        assert!(ProcessPlan::of(&empty, "").is_err());
    }
}

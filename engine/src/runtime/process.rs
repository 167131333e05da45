//! One process of a container, resolved: what `execve` gets and which rights are left.

use serde::{Deserialize, Serialize};

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

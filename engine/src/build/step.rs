//! Instructions that change only the configuration.

use std::collections::{BTreeMap, BTreeSet};

use crate::dockerfile::{Command, Form, Healthcheck, Instruction, KeyValue};
use crate::oci::EmptyObject;

use super::BuildError;
use super::state::State;
use super::variables::{Arguments, PREDEFINED, expand, expand_words};
use super::words::{healthcheck, quoted_list};

/// What arguments are worth when ARG asks for them.
#[derive(Debug)]
pub(super) struct Given<'a> {
    /// `--build-arg`.
    pub(super) build_args: &'a BTreeMap<String, Option<String>>,
    /// Those before the first FROM, and the automatic ones.
    pub(super) global: &'a Arguments,
}

/// Applies an instruction to the configuration; gives what history says behind `#(nop) `.
pub(super) fn apply(
    state: &mut State,
    instruction: &Instruction,
    escape: char,
    given: &Given<'_>,
) -> Result<String, BuildError> {
    let env = state.env().to_vec();
    let word = |text: &str| expand(text, escape, &env, &state.arguments);
    let words = |text: &str| expand_words(text, escape, &env, &state.arguments);
    Ok(match instruction {
        Instruction::Arg(pairs) => {
            let mut shown = Vec::new();
            for (name, default) in pairs {
                let value = argument(state, name, default.as_deref(), escape, given)?;
                shown.push(match &value {
                    Some(value) if !PREDEFINED.contains(&name.as_str()) => {
                        format!("{name}={value}")
                    }
                    _ => name.clone(),
                });
                state.arguments.set(name, value);
            }
            format!(" ARG {}", shown.join(" "))
        }
        Instruction::Cmd(command) => {
            let words = command_words(state, command);
            let shown = quoted_list(&words);
            state.config.config.cmd = Some(words);
            state.cmd_set = true;
            format!(" CMD {shown}")
        }
        Instruction::Entrypoint(command) => {
            let words = command_words(state, command);
            let shown = quoted_list(&words);
            // An image's own arguments belong to its own entry point.
            if !state.cmd_set {
                state.config.config.cmd = None;
            }
            state.config.config.entrypoint = Some(words);
            format!(" ENTRYPOINT {shown}")
        }
        Instruction::Env(pairs) => {
            let pairs = expanded(pairs, &word)?;
            let all = state.config.config.env.get_or_insert_default();
            for (name, value) in &pairs {
                let pair = format!("{name}={value}");
                match all
                    .iter_mut()
                    .find(|old| old.split_once('=').is_some_and(|(old, _)| old == name))
                {
                    Some(old) => *old = pair,
                    None => all.push(pair),
                }
            }
            format!(" ENV {}", joined(&pairs))
        }
        Instruction::Label(pairs) => {
            let pairs = expanded(pairs, &word)?;
            state
                .config
                .config
                .labels
                .get_or_insert_default()
                .extend(pairs.iter().cloned());
            format!(" LABEL {}", joined(&pairs))
        }
        Instruction::Expose(ports) => {
            let mut shown = BTreeSet::new();
            for text in ports {
                for word in words(text)? {
                    for port in exposed(&word)? {
                        state
                            .config
                            .config
                            .exposed_ports
                            .get_or_insert_default()
                            .insert(port, EmptyObject {});
                    }
                    shown.insert(word);
                }
            }
            format!(
                " EXPOSE {}",
                shown.into_iter().collect::<Vec<_>>().join(" ")
            )
        }
        Instruction::Healthcheck(check) => {
            state.config.config.healthcheck = Some(health_value(check));
            format!(" HEALTHCHECK {}", healthcheck(check))
        }
        Instruction::Maintainer(name) => {
            let name = word(name)?;
            state.config.author.clone_from(&name);
            format!(" MAINTAINER {name}")
        }
        Instruction::Onbuild(text) => {
            state
                .config
                .config
                .on_build
                .get_or_insert_default()
                .push(text.clone());
            format!(" ONBUILD {text}")
        }
        Instruction::Shell(words) => {
            state.config.config.shell = Some(words.clone());
            format!(" SHELL [{}]", words.join(" "))
        }
        Instruction::Stopsignal(signal) => {
            let signal = word(signal)?;
            check_signal(&signal)?;
            state.config.config.stop_signal.clone_from(&signal);
            format!(" STOPSIGNAL {signal}")
        }
        Instruction::User(user) => {
            let user = word(user)?;
            state.config.config.user.clone_from(&user);
            format!(" USER {user}")
        }
        Instruction::Volume(paths) => {
            let paths: Vec<String> = paths
                .iter()
                .map(|path| word(path))
                .collect::<Result<_, _>>()?;
            let shown = paths.join(" ");
            let volumes = state.config.config.volumes.get_or_insert_default();
            volumes.extend(paths.into_iter().map(|path| (path, EmptyObject {})));
            format!(" VOLUME [{shown}]")
        }
        Instruction::Add(_)
        | Instruction::Copy(_)
        | Instruction::Run(_)
        | Instruction::Workdir(_) => {
            unreachable!("instructions that make files are not among these")
        }
    })
}

/// The value of an argument: from the command line, the ARG itself, or an ARG before the first FROM.
fn argument(
    state: &State,
    name: &str,
    default: Option<&str>,
    escape: char,
    given: &Given<'_>,
) -> Result<Option<String>, BuildError> {
    if let Some(Some(value)) = given.build_args.get(name) {
        return Ok(Some(value.clone()));
    }
    match default {
        Some(default) => expand(default, escape, state.env(), &state.arguments).map(Some),
        None => Ok(given.global.get(name).cloned()),
    }
}

/// The words of a command; the shell form is put behind the shell.
pub(super) fn command_words(state: &State, command: &Command) -> Vec<String> {
    match command.form {
        Form::Exec => command.words.clone(),
        Form::Shell if command.words.is_empty() => Vec::new(),
        Form::Shell => [state.shell(), command.words.clone()].concat(),
    }
}

fn expanded(
    pairs: &[KeyValue],
    word: &dyn Fn(&str) -> Result<String, BuildError>,
) -> Result<Vec<(String, String)>, BuildError> {
    pairs
        .iter()
        .map(|pair| {
            let name = word(&pair.name)?;
            if name.is_empty() {
                return Err(BuildError::Value("names can not be blank".into()));
            }
            Ok((name, word(&pair.value)?))
        })
        .collect()
}

fn joined(pairs: &[(String, String)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// `80`, `80/udp`, `8000-8010/tcp`.
fn exposed(text: &str) -> Result<Vec<String>, BuildError> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(BuildError::Value(format!("Invalid proto: {protocol}")));
    }
    let number = |text: &str| {
        let bad = || BuildError::Value(format!("Invalid containerPort: {range}"));
        text.parse::<u16>().map_err(|_| bad())
    };
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(range)?, number(range)?),
    };
    if last < first {
        return Err(BuildError::Value(format!(
            "Invalid range specified for port: {range}"
        )));
    }
    Ok((first..=last)
        .map(|port| format!("{port}/{protocol}"))
        .collect())
}

fn health_value(check: &Healthcheck) -> serde_json::Value {
    let mut value = serde_json::json!({ "Test": check.test });
    for (name, number) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
        ("Retries", check.retries),
    ] {
        if number != 0 {
            value[name] = number.into();
        }
    }
    value
}

fn check_signal(text: &str) -> Result<(), BuildError> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = name
        .parse::<u8>()
        .is_ok_and(|number| (1..=64).contains(&number));
    let real_time = name.starts_with("RTMIN") || name.starts_with("RTMAX");
    if number || real_time || NAMES.contains(&name) {
        Ok(())
    } else {
        Err(BuildError::Value(format!("invalid signal: {text}")))
    }
}

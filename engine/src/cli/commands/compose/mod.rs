//! `docker compose`: a project's containers, networks and volumes, made what its files say.
//!
//! Everything is decided in `crate::compose` and performed here through the daemon's socket. Options that stand
//! before the sub-command (`-f`, `-p`, …) are moved behind it in their long form, so that each command parses one
//! line. Where a command is a `docker` command on a container of the project, that command is called.

mod scope;

mod build;
mod converge;
mod images;
mod networks;
mod place;
mod report;
mod streams;
mod volumes;
mod waiting;

mod config;
mod cp;
mod create;
mod down;
mod events;
mod exec;
mod lifecycle;
mod logs;
mod ls;
mod port;
mod ps;
mod rm;
mod run;
mod top;
mod up;
mod version;
mod wait;

use super::Command;
use crate::cli::Session;
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Matches, Order};

/// Every one of them.
pub(crate) static COMMANDS: &[&Command] = &[
    &build::COMMAND,
    &config::COMMAND,
    &cp::COMMAND,
    &create::COMMAND,
    &down::COMMAND,
    &events::COMMAND,
    &exec::COMMAND,
    &images::LIST,
    &lifecycle::KILL,
    &logs::COMMAND,
    &ls::COMMAND,
    &lifecycle::PAUSE,
    &port::COMMAND,
    &ps::COMMAND,
    &images::PULL,
    &images::PUSH,
    &lifecycle::RESTART,
    &rm::COMMAND,
    &run::COMMAND,
    &up::SCALE,
    &lifecycle::START,
    &lifecycle::STOP,
    &top::COMMAND,
    &lifecycle::UNPAUSE,
    &up::COMMAND,
    &version::COMMAND,
    &wait::COMMAND,
];

/// What stands before the sub-command, as typed.
const BEFORE: &[Flag] = &[
    Flag::switch(
        "all-resources",
        "Include all resources, even those not used by services",
    ),
    Flag::text("ansi", "Control characters (\"never\"|\"always\"|\"auto\")").default("auto"),
    Flag::switch(
        "compatibility",
        "Run compose in backward compatibility mode",
    ),
    Flag::list("env-file", "An alternate environment file"),
    Flag::list("file", "Compose configuration files").short('f'),
    Flag::list("profile", "A profile to enable"),
    Flag::text("progress", "Type of progress output (auto, plain, quiet)").default("auto"),
    Flag::text("project-directory", "Where relative paths start"),
    Flag::text("project-name", "Project name").short('p'),
];

/// The same behind the sub-command, where their letters may mean something else.
const PROJECT: &[Flag] = &[
    Flag::text("ansi", "Control characters (\"never\"|\"always\"|\"auto\")").default("auto"),
    Flag::list("env-file", "An alternate environment file"),
    Flag::list("file", "Compose configuration files"),
    Flag::list("profile", "A profile to enable"),
    Flag::text("progress", "Type of progress output (auto, plain, quiet)").default("auto"),
    Flag::text("project-directory", "Where relative paths start"),
    Flag::text("project-name", "Project name"),
];

/// `compose -f x up -d` → `compose up --file=x -d`; other commands are left alone.
pub(crate) fn unfold(words: &[String]) -> Result<Vec<String>, CliError> {
    let Some((first, rest)) = words.split_first() else {
        return Ok(Vec::new());
    };
    if first != "compose" {
        return Ok(words.to_vec());
    }
    let before = Matches::parse(&[BEFORE], rest, Order::First)?;
    let mut unfolded = vec![first.clone()];
    if before.help.is_some() || before.operands.is_empty() {
        return Ok(unfolded);
    }
    for refused in ["all-resources", "compatibility"] {
        if before.on(refused) {
            return Err(CliError::Said(format!(
                "--{refused} is not supported by this compose"
            )));
        }
    }
    let (command, behind) = before
        .operands
        .split_first()
        .expect("there is an operand, as was just asked");
    unfolded.push(command.clone());
    if command == "--version" {
        unfolded[1] = "version".into();
    }
    for flag in ["ansi", "progress", "project-directory", "project-name"] {
        if before.given(flag) {
            unfolded.push(format!(
                "--{flag}={}",
                before.text(flag).unwrap_or_default()
            ));
        }
    }
    for flag in ["env-file", "file", "profile"] {
        unfolded.extend(
            before
                .all(flag)
                .iter()
                .map(|value| format!("--{flag}={value}")),
        );
    }
    unfolded.extend_from_slice(behind);
    Ok(unfolded)
}

/// Calls a `docker` command, named by its first spelling.
async fn docker(session: &Session, path: &str, words: &[String]) -> Result<u8, CliError> {
    let Some(command) = super::all().find(|command| command.paths.contains(&path)) else {
        return Err(CliError::Said(format!("docker {path} is not available")));
    };
    let mut matches = Matches::parse(command.flags, words, command.order)?;
    matches.path = path.to_owned();
    (command.run)(session, &matches).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert_eq!(unfold(&words).unwrap().join(" "), expected);
    }

    #[test]
    fn options_before_the_command_move_behind_it() {
        check("ps -a", "ps -a");
        check("compose", "compose");
        check(
            "compose -f a.yml -f b.yml -p app logs -f web",
            "compose logs --project-name=app --file=a.yml --file=b.yml -f web",
        );
        check("compose --profile dev up -d", "compose up --profile=dev -d");
    }
}

//! Help texts and usage errors, laid out as Docker lays them out.

use super::commands::{self, Command, Group, Operands};
use super::error::CliError;
use super::flags::{Flag, FlagError, Kind, Matches};
use super::tty;

/// The help of one command.
pub(crate) fn command(command: &Command, path: &str) -> String {
    let mut text = format!("Usage:  {}\n\n{}\n", usage(command, path), command.about);
    if command.paths.len() > 1 {
        let spelled: Vec<String> = command
            .paths
            .iter()
            .map(|path| format!("docker {path}"))
            .collect();
        text.push_str(&format!("\nAliases:\n  {}\n", spelled.join(", ")));
    }
    let flags: Vec<&Flag> = command
        .flags
        .iter()
        .flat_map(|group| group.iter())
        .filter(|flag| !flag.is_hidden)
        .collect();
    if !flags.is_empty() {
        text.push_str("\nOptions:\n");
        text.push_str(&options(flags));
    }
    text
}

/// The help of `docker container` and its like.
pub(crate) fn group(group: &Group) -> String {
    let prefix = format!("{} ", group.name);
    let members = commands::all().filter_map(|command| {
        let name = command.paths[0].strip_prefix(&prefix)?;
        if command.is_hidden() {
            return None;
        }
        Some((name, command.about))
    });
    format!(
        "Usage:  docker {name} COMMAND\n\n{about}\n\nCommands:\n{list}\n\
         Run 'docker {name} COMMAND --help' for more information on a command.\n",
        name = group.name,
        about = group.about,
        list = list(members.collect()),
    )
}

/// The help of `docker` itself.
pub(crate) fn overview(global: &'static [Flag]) -> String {
    let groups = commands::GROUPS
        .iter()
        .map(|group| (group.name, group.about));
    let short = commands::all().filter_map(|command| {
        if command.is_hidden() {
            return None;
        }
        let name = command.paths.iter().find(|path| !path.contains(' '))?;
        Some((*name, command.about))
    });
    format!(
        "Usage:  docker [OPTIONS] COMMAND\n\nA self-sufficient runtime for containers\n\n\
         Management Commands:\n{groups}\nCommands:\n{commands}\nGlobal Options:\n{options}\n\
         Run 'docker COMMAND --help' for more information on a command.\n",
        groups = list(groups.collect()),
        commands = list(short.collect()),
        options = options(global.iter().collect()),
    )
}

/// An option that cannot be understood.
pub(crate) fn refused(command: &Command, path: &str, error: &FlagError) -> CliError {
    if matches!(error, FlagError::Refused { .. }) {
        return CliError::Said(error.to_string());
    }
    CliError::Hinted {
        message: error.to_string(),
        hint: format!("Usage:  {}\n\n{}", usage(command, path), more(path)),
        code: 125,
    }
}

/// An option before the command that cannot be understood.
pub(crate) fn refused_globally(error: &FlagError) -> CliError {
    CliError::Hinted {
        message: error.to_string(),
        hint: "Usage:  docker [OPTIONS] COMMAND [ARG...]\n\n\
               Run 'docker --help' for more information"
            .to_owned(),
        code: 125,
    }
}

/// Refuses a call with too few or too many operands.
pub(crate) fn count_operands(command: &Command, matches: &Matches) -> Result<(), CliError> {
    let given = matches.operands.len();
    let path = &matches.path;
    let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
    let refusal = match command.operands {
        Operands::None if given > 0 => "accepts no arguments".to_owned(),
        Operands::Exactly(n) if given != n => format!("requires {n} {}", plural(n)),
        Operands::AtLeast(n) if given < n => format!("requires at least {n} {}", plural(n)),
        Operands::AtMost(n) if given > n => format!("requires at most {n} {}", plural(n)),
        Operands::Between(least, most) if !(least..=most).contains(&given) => {
            format!(
                "requires at least {least} and at most {most} {}",
                plural(most)
            )
        }
        _ => return Ok(()),
    };
    // Docker says "See" where operands are missing from an open list, and "Run" elsewhere.
    let see = match command.operands {
        Operands::AtLeast(_) => more(path).replacen("Run", "See", 1),
        _ => more(path),
    };
    Err(CliError::Hinted {
        message: format!("docker: 'docker {path}' {refusal}"),
        hint: format!("Usage:  {}\n\n{}", usage(command, path), see),
        code: 1,
    })
}

/// `Run 'docker run --help' for more information`
pub(crate) fn more(path: &str) -> String {
    format!("Run 'docker {path} --help' for more information")
}

fn usage(command: &Command, path: &str) -> String {
    format!("docker {path} {}", command.synopsis)
        .trim_end()
        .to_owned()
}

fn list(entries: Vec<(&str, &str)>) -> String {
    let mut entries = entries;
    entries.sort_unstable();
    let widest = entries
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0)
        .max(10);
    entries
        .iter()
        .map(|(name, about)| format!("  {name:widest$}  {about}\n"))
        .collect()
}

fn options(mut flags: Vec<&Flag>) -> String {
    flags.sort_by_key(|flag| flag.name);
    let heads: Vec<String> = flags.iter().map(|flag| head(flag)).collect();
    let widest = heads.iter().map(String::len).max().unwrap_or(0) + 3;
    let room = tty::width().min(120).saturating_sub(widest).max(24);
    let mut text = String::new();
    for (flag, head) in flags.iter().zip(&heads) {
        let mut lines = wrap(&about(flag), room).into_iter();
        let first = lines.next().unwrap_or_default();
        text.push_str(format!("{head:widest$}{first}").trim_end());
        text.push('\n');
        for line in lines {
            text.push_str(&format!("{:widest$}{line}\n", ""));
        }
    }
    text
}

fn head(flag: &Flag) -> String {
    let short = flag
        .short
        .map_or("    ".to_owned(), |letter| format!("-{letter}, "));
    format!("  {short}--{} {}", flag.name, flag.kind.word())
        .trim_end()
        .to_owned()
}

fn about(flag: &Flag) -> String {
    match (flag.default, flag.kind) {
        ("", _) | ("false", _) => flag.about.to_owned(),
        (value, Kind::Text(_) | Kind::List(_)) => format!("{} (default \"{value}\")", flag.about),
        (value, _) => format!("{} (default {value})", flag.about),
    }
}

fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

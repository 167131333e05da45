//! What may stand at the cursor: commands, options, their values, and the names of objects.

use super::daemon::{Objects, list};
use crate::cli::commands::{self, Command, Found};
use crate::cli::context::DEFAULT;
use crate::cli::error::CliError;
use crate::cli::flags::{Flag, Kind};
use crate::cli::{GLOBAL, Session, output};

/// Candidates, and whether files are among them.
#[derive(Debug, Default)]
struct Candidates {
    words: Vec<(String, String)>,
    files: bool,
}

/// What a place in the line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Objects of the daemon.
    Objects(&'static [Objects]),
    /// One of these words.
    Words(&'static [&'static str]),
    /// A context.
    Contexts,
    /// An environment variable.
    Variables,
    /// A file of this machine.
    Files,
    /// Nothing that could be known.
    Nothing,
}

/// Prints the candidates for the last of `words`.
pub(super) async fn run(session: &Session, words: &[String]) -> Result<u8, CliError> {
    // The marker keeps the shells' words from being taken for options of this command.
    let words = match words {
        [first, rest @ ..] if first == "--" => rest,
        words => words,
    };
    let empty = String::new();
    let (current, before) = words.split_last().unwrap_or((&empty, &[]));
    let mut found = candidates(session, before, current).await;
    let typed = current
        .split_once('=')
        .filter(|_| current.starts_with("--"));
    let start = typed.map_or(current.as_str(), |(_, value)| value);
    found.words.retain(|(word, _)| word.starts_with(start));
    found.words.sort();
    found.words.dedup();
    for (word, about) in &found.words {
        let line = match typed {
            Some((option, _)) => format!("{option}={word}"),
            None => word.clone(),
        };
        output::line(format!("{line}\t{about}").trim_end())?;
    }
    if found.files {
        output::line(":files")?;
    }
    Ok(0)
}

async fn candidates(session: &Session, before: &[String], current: &str) -> Candidates {
    let at = skip_globals(before);
    let words = &before[at..];
    if words.is_empty() {
        if let Some(flag) = pending(&[GLOBAL], before) {
            return fill(session, of_flag("", flag)).await;
        }
        if current.starts_with('-') {
            return options(&[GLOBAL]);
        }
        return top();
    }
    let (command, path, rest) = match commands::find(words) {
        Found::Command {
            command,
            path,
            rest,
        } => (command, path, rest),
        Found::Group(group) => return members(group),
        Found::Nothing(_) => return Candidates::default(),
    };
    if words[0] == "help" {
        return if words.len() == 1 {
            top()
        } else {
            Candidates::default()
        };
    }
    // `docker container run`, not yet followed by a space, is found as `container` alone.
    let _ = path;
    if let Some((option, _)) = current
        .split_once('=')
        .filter(|_| current.starts_with("--"))
    {
        let flag = flags(command).find(|flag| option[2..] == *flag.name);
        return match flag {
            Some(flag) => fill(session, of_flag(command.paths[0], flag)).await,
            None => Candidates::default(),
        };
    }
    if let Some(flag) = pending(command.flags, rest) {
        return fill(session, of_flag(command.paths[0], flag)).await;
    }
    let given = operands(command, rest);
    let first = command.order == crate::cli::flags::Order::First;
    if current.starts_with('-') && !(first && given > 0) {
        return options(command.flags);
    }
    fill(session, of_operand(command.paths[0], given)).await
}

/// How many words are options of `docker` itself.
fn skip_globals(words: &[String]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if !word.starts_with('-') {
            break;
        }
        at += 1;
        let takes = GLOBAL
            .iter()
            .find(|flag| names(flag, word))
            .is_some_and(|flag| flag.kind != Kind::Switch);
        if takes && !word.contains('=') && at < words.len() {
            at += 1;
        }
    }
    at
}

/// Whether `word` ends with this option, in either spelling.
fn names(flag: &Flag, word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(long) => long == flag.name,
        None => word.strip_prefix('-').is_some_and(|cluster| {
            cluster.chars().next_back() == flag.short && !cluster.is_empty()
        }),
    }
}

/// The option at the end of `words` that still wants its value.
fn pending(groups: &[&'static [Flag]], words: &[String]) -> Option<&'static Flag> {
    let last = words.last().filter(|word| word.starts_with('-'))?;
    let flags = groups.iter().flat_map(|group| group.iter());
    flags
        .filter(|flag| flag.kind != Kind::Switch)
        .find(|flag| names(flag, last))
}

/// How many operands stand before the cursor.
fn operands(command: &Command, words: &[String]) -> usize {
    let mut count = 0;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if !word.starts_with('-') {
            count += 1;
            continue;
        }
        let takes = flags(command)
            .find(|flag| names(flag, word))
            .is_some_and(|flag| flag.kind != Kind::Switch);
        if takes {
            rest.next();
        }
    }
    count
}

fn flags(command: &Command) -> impl Iterator<Item = &'static Flag> {
    command.flags.iter().flat_map(|group| group.iter())
}

fn options(groups: &[&'static [Flag]]) -> Candidates {
    let shown = groups
        .iter()
        .flat_map(|group| group.iter())
        .filter(|flag| !flag.is_hidden && flag.refusal.is_empty());
    let mut words: Vec<(String, String)> = shown
        .map(|flag| (format!("--{}", flag.name), flag.about.to_owned()))
        .collect();
    words.push(("--help".to_owned(), "Print usage".to_owned()));
    Candidates {
        words,
        files: false,
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The commands and groups that may follow `docker`.
fn top() -> Candidates {
    let groups = commands::GROUPS
        .iter()
        .map(|group| (group.name.to_owned(), group.about.to_owned()));
    let short = commands::all()
        .filter(|command| !command.is_hidden())
        .flat_map(|command| command.paths.iter().map(move |path| (path, command)))
        .filter(|(path, _)| !path.contains(' '))
        .map(|(path, command)| ((*path).to_owned(), first_line(command.about)));
    let help = ("help".to_owned(), "Help about a command".to_owned());
    Candidates {
        words: groups.chain(short).chain([help]).collect(),
        files: false,
    }
}

fn members(group: &commands::Group) -> Candidates {
    let prefix = format!("{} ", group.name);
    let words = group
        .commands
        .iter()
        .filter(|command| !command.is_hidden())
        .filter_map(|command| {
            let name = command.paths[0].strip_prefix(&prefix)?;
            Some((name.to_owned(), first_line(command.about)))
        });
    Candidates {
        words: words.collect(),
        files: false,
    }
}

/// What the value of an option may be.
fn of_flag(command: &str, flag: &Flag) -> Wanted {
    use Wanted::{Contexts, Files, Nothing, Objects as Of, Variables, Words};
    match flag.name {
        "context" if command.is_empty() => Contexts,
        "from" if command.starts_with("context ") => Contexts,
        "env" | "build-arg" => Variables,
        "network" | "config-from" => Of(&[Objects::Networks]),
        "volumes-from" | "link" => Of(&[Objects::Containers]),
        "volume" => Of(&[Objects::Volumes]),
        "cidfile" | "config" | "env-file" | "file" | "iidfile" | "input" | "label-file"
        | "output" | "tlscacert" | "tlscert" | "tlskey" => Files,
        "format" => Words(&["json", "table"]),
        "log-level" => Words(&["debug", "info", "warn", "error", "fatal"]),
        "log-driver" => Words(&["json-file", "local", "none", "journald", "syslog", "gelf"]),
        "pull" => Words(&["always", "missing", "never"]),
        "restart" => Words(&["always", "no", "on-failure", "unless-stopped"]),
        "signal" | "stop-signal" => Words(&[
            "SIGHUP", "SIGINT", "SIGKILL", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2",
        ]),
        "type" if command == "inspect" => Words(&["container", "image", "network", "volume"]),
        "attach" => Words(&["stdin", "stdout", "stderr"]),
        "cgroupns" => Words(&["host", "private"]),
        "pid" | "uts" | "userns" => Words(&["host"]),
        "ipc" => Words(&["host", "none", "private", "shareable"]),
        "platform" => Words(&["linux/amd64", "linux/arm64"]),
        _ => Nothing,
    }
}

/// What the next operand of a command may be, after `given` others.
fn of_operand(command: &str, given: usize) -> Wanted {
    use Objects::{Containers, Images, Networks, Paused, Running, Stopped, Volumes};
    use Wanted::{Contexts, Files, Nothing, Objects as Of};
    match (command, given) {
        ("container attach" | "container exec" | "container port" | "container top", 0) => {
            Of(&[Running])
        }
        ("container kill" | "container pause" | "container stats" | "container stop", _) => {
            Of(&[Running])
        }
        ("container unpause", _) => Of(&[Paused]),
        ("container start", _) => Of(&[Stopped]),
        (
            "container commit" | "container diff" | "container export" | "container logs"
            | "container rename",
            0,
        ) => Of(&[Containers]),
        (
            "container inspect" | "container restart" | "container rm" | "container update"
            | "container wait",
            _,
        ) => Of(&[Containers]),
        ("container cp", _) => Files,
        ("container create" | "container run" | "image history" | "image push", 0) => Of(&[Images]),
        ("image inspect" | "image rm" | "image save" | "image tag", _) => Of(&[Images]),
        ("image ls", 0) => Of(&[Images]),
        ("image import" | "image build", 0) => Files,
        ("inspect", _) => Of(&[Containers, Images, Networks, Volumes]),
        ("network connect" | "network disconnect", 0) => Of(&[Networks]),
        ("network connect" | "network disconnect", 1) => Of(&[Containers]),
        ("network inspect" | "network rm", _) => Of(&[Networks]),
        ("volume inspect" | "volume rm", _) => Of(&[Volumes]),
        ("context inspect" | "context rm", _) => Contexts,
        ("context export" | "context update" | "context use", 0) => Contexts,
        ("context import", 1) => Files,
        ("completion", 0) => Wanted::Words(&["bash", "fish", "zsh"]),
        _ => Nothing,
    }
}

async fn fill(session: &Session, wanted: Wanted) -> Candidates {
    let plain = |words: Vec<String>| -> Vec<(String, String)> {
        words
            .into_iter()
            .map(|word| (word, String::new()))
            .collect()
    };
    let words = match wanted {
        Wanted::Nothing => Vec::new(),
        Wanted::Files => {
            return Candidates {
                words: Vec::new(),
                files: true,
            };
        }
        Wanted::Words(words) => plain(words.iter().map(|word| (*word).to_owned()).collect()),
        Wanted::Variables => plain(
            std::env::vars_os()
                .filter_map(|(name, _)| name.into_string().ok())
                .collect(),
        ),
        Wanted::Contexts => {
            let kept = session.contexts().all().unwrap_or_default();
            let mut names: Vec<String> = kept.into_iter().map(|context| context.name).collect();
            names.push(DEFAULT.to_owned());
            plain(names)
        }
        Wanted::Objects(kinds) => {
            let mut words = Vec::new();
            for kind in kinds {
                words.extend(list(&session.client, *kind).await);
            }
            words
        }
    };
    Candidates {
        words,
        files: false,
    }
}

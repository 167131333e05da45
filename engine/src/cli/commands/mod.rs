//! Every command, one file each, grouped by the object it acts on.
//!
//! A command is a constant that says how it is spelled, what it accepts and what runs it; the
//! tables below are all the dispatch there is.

pub(crate) mod builder;
pub(crate) mod completion;
pub(crate) mod compose;
pub(crate) mod container;
pub(crate) mod context;
pub(crate) mod image;
pub(crate) mod manifest;
pub(crate) mod network;
pub(crate) mod system;
pub(crate) mod volume;

use std::future::Future;
use std::pin::Pin;

use super::Session;
use super::error::CliError;
use super::flags::{Flag, Matches, Order};
use super::help;

/// One command.
pub(crate) struct Command {
    /// Every spelling, the one with its group first: `container ls`, `ps`.
    pub(crate) paths: &'static [&'static str],
    /// One line for the help.
    pub(crate) about: &'static str,
    /// What follows the command's name in its usage.
    pub(crate) synopsis: &'static str,
    /// Its options, in groups that several commands may share.
    pub(crate) flags: &'static [&'static [Flag]],
    /// How many operands it takes.
    pub(crate) operands: Operands,
    /// Where its options may stand.
    pub(crate) order: Order,
    /// What it does, to its exit code.
    pub(crate) run: Run,
}

impl Command {
    /// Whether it never talks to a daemon.
    pub(crate) fn is_local(&self) -> bool {
        let first = self.paths[0].split(' ').next().unwrap_or_default();
        matches!(first, "context" | "help" | "completion")
    }

    /// Whether the help leaves it out.
    pub(crate) fn is_hidden(&self) -> bool {
        self.paths[0] == "system dial-stdio" || self.paths[0] == "__complete"
    }
}

/// How many operands a command takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operands {
    /// None.
    None,
    /// Any number.
    Any,
    /// This many.
    Exactly(usize),
    /// This many or more.
    AtLeast(usize),
    /// This many or fewer.
    AtMost(usize),
    /// From the first to the second number.
    Between(usize, usize),
}

/// The body of a command.
pub(crate) type Run = for<'a> fn(&'a Session, &'a Matches) -> Running<'a>;
/// A command that runs.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<u8, CliError>> + 'a>>;

/// The commands about one kind of object.
pub(crate) struct Group {
    /// `container`
    pub(crate) name: &'static str,
    /// One line for the help.
    pub(crate) about: &'static str,
    /// Its commands.
    pub(crate) commands: &'static [&'static Command],
}

/// Every group.
pub(crate) static GROUPS: &[Group] = &[
    Group {
        name: "builder",
        about: "Manage builds",
        commands: builder::COMMANDS,
    },
    Group {
        name: "compose",
        about: "Define and run multi-container applications",
        commands: compose::COMMANDS,
    },
    Group {
        name: "container",
        about: "Manage containers",
        commands: container::COMMANDS,
    },
    Group {
        name: "context",
        about: "Manage contexts",
        commands: context::COMMANDS,
    },
    Group {
        name: "image",
        about: "Manage images",
        commands: image::COMMANDS,
    },
    Group {
        name: "manifest",
        about: "Manage Docker image manifests and manifest lists",
        commands: manifest::COMMANDS,
    },
    Group {
        name: "network",
        about: "Manage networks",
        commands: network::COMMANDS,
    },
    Group {
        name: "system",
        about: "Manage the engine",
        commands: system::COMMANDS,
    },
    Group {
        name: "volume",
        about: "Manage volumes",
        commands: volume::COMMANDS,
    },
];

/// A family of Docker's commands that this command line does not have.
pub(crate) struct Refused {
    /// `swarm`
    pub(crate) name: &'static str,
    /// Why not.
    pub(crate) why: &'static str,
}

/// Why the commands of clusters are not there.
const NO_SWARM: &str = "this engine has no swarm mode";

/// Every family that is not there.
pub(crate) static REFUSED: &[Refused] = &[
    Refused {
        name: "checkpoint",
        why: "containers are not frozen to disk",
    },
    Refused {
        name: "config",
        why: NO_SWARM,
    },
    Refused {
        name: "node",
        why: NO_SWARM,
    },
    Refused {
        name: "plugin",
        why: "this engine has no plugins",
    },
    Refused {
        name: "secret",
        why: NO_SWARM,
    },
    Refused {
        name: "service",
        why: NO_SWARM,
    },
    Refused {
        name: "stack",
        why: NO_SWARM,
    },
    Refused {
        name: "swarm",
        why: NO_SWARM,
    },
    Refused {
        name: "trust",
        why: "signatures of images are not verified",
    },
];

/// Every command of every group.
pub(crate) fn all() -> impl Iterator<Item = &'static Command> {
    GROUPS
        .iter()
        .flat_map(|group| group.commands.iter().copied())
        .chain(completion::COMMANDS.iter().copied())
}

/// What the words of a call name.
pub(crate) enum Found<'w> {
    /// A command, the words by which it was named and those that follow.
    Command {
        /// The command.
        command: &'static Command,
        /// `container ls`
        path: String,
        /// What follows.
        rest: &'w [String],
    },
    /// A group alone.
    Group(&'static Group),
    /// No command.
    Nothing(CliError),
}

/// Finds the command that `words` begin with.
pub(crate) fn find(words: &[String]) -> Found<'_> {
    let named = |path: &str| all().find(|command| command.paths.contains(&path));
    let first = words[0].as_str();
    let second = words.get(1).map_or("", String::as_str);
    let path = format!("{first} {second}");
    if first == "help" {
        return match (words.len() > 1).then(|| find(&words[1..])) {
            Some(Found::Command { command, path, .. }) => Found::Command {
                command,
                path,
                rest: ask_for_help(),
            },
            Some(Found::Nothing(_)) => Found::Nothing(CliError::Said(format!(
                "unknown help topic: {}",
                words[1..].join(" ")
            ))),
            Some(found) => found,
            None => Found::Command {
                command: &system::HELP,
                path: "help".into(),
                rest: &[],
            },
        };
    }
    if let Some(command) = named(&path) {
        return Found::Command {
            command,
            path,
            rest: &words[2..],
        };
    }
    if let Some(command) = named(first) {
        return Found::Command {
            command,
            path: first.to_owned(),
            rest: &words[1..],
        };
    }
    if let Some(family) = REFUSED.iter().find(|family| family.name == first) {
        return Found::Nothing(CliError::Said(format!(
            "docker: 'docker {first}' is not supported: {}",
            family.why
        )));
    }
    match GROUPS.iter().find(|group| group.name == first) {
        Some(group) if matches!(second, "" | "--help" | "-h") => Found::Group(group),
        Some(group) => Found::Nothing(CliError::Hinted {
            message: format!("docker: unknown command: docker {path}"),
            hint: format!(
                "Usage:  docker {}{}\n\n{}",
                group.name,
                // As Docker's own client words this one group.
                if group.name == "volume" {
                    " COMMAND"
                } else {
                    ""
                },
                help::more(group.name)
            ),
            code: 1,
        }),
        None => Found::Nothing(CliError::Hinted {
            message: format!("docker: unknown command: docker {first}"),
            hint: "Run 'docker --help' for more information".to_owned(),
            code: 1,
        }),
    }
}

fn ask_for_help() -> &'static [String] {
    static HELP: std::sync::OnceLock<[String; 1]> = std::sync::OnceLock::new();
    HELP.get_or_init(|| ["--help".to_owned()])
}

/// Does something to each operand, in order; goes on after a failure and reports them all.
pub(crate) async fn each<'a, F>(
    operands: &'a [String],
    mut act: impl FnMut(&'a str) -> F,
) -> Result<u8, CliError>
where
    F: Future<Output = Result<(), CliError>>,
{
    let mut errors = Vec::new();
    for operand in operands {
        if let Err(error) = act(operand).await {
            errors.push(error);
        }
    }
    CliError::gather(errors)
}

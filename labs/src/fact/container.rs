//! Facts of a container.

use super::Kind;
use super::path::{Step, Unknown};
use super::process::{ProcessFact, last, words};

/// A fact of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerFact {
    /// One word.
    Word(ContainerWord),
    /// `init.…`: a fact of its first process.
    Init(ProcessFact),
}

words! {
    /// A fact of a container that is one word.
    ContainerWord {
        /// Full id.
        Id "id" Text,
        /// Name.
        Name "name" Text,
        /// Image as written.
        Image "image" Text,
        /// Lifecycle.
        State "state" Text,
        /// Last exit code.
        ExitCode "exit_code" Int,
        /// Program and arguments.
        Command "command" List,
        /// Whether it has a terminal.
        Tty "tty" Bool,
        /// Whether its input stays open.
        StdinOpen "stdin_open" Bool,
        /// Whether it is removed when it ends.
        AutoRemove "auto_remove" Bool,
        /// Restarts by policy.
        Restarts "restarts" Int,
        /// Names of its processes.
        Processes "processes" List,
        /// What happened to it.
        Events "events" List,
    }
}

impl ContainerFact {
    /// Reads the steps behind the name.
    pub fn parse(steps: &[Step<'_>]) -> Result<Self, Unknown> {
        match steps {
            [Step::Word("init"), rest @ ..] => ProcessFact::parse(rest).map(Self::Init),
            rest => last(rest, ContainerWord::from_word, ContainerWord::WORDS)
                .map(Self::Word)
                .map_err(|_| {
                    let more = ["init", "count", "alive"];
                    Unknown::word(rest, ContainerWord::WORDS.iter().copied().chain(more))
                }),
        }
    }

    /// The type of its value.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Word(word) => word.kind(),
            Self::Init(fact) => fact.kind(),
        }
    }
}

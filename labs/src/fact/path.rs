//! A fact's path: `p.mounts[/proc].fstype`.

use std::collections::BTreeMap;

use super::{ContainerFact, EngineFact, ImageFact, Kind, ProcessFact};
use crate::exercise::problem::closest;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A process.
    Process,
    /// A container.
    Container,
}

/// A fact, and of whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// Of a bound process.
    Process {
        /// The binding.
        name: String,
        /// What is read.
        fact: ProcessFact,
    },
    /// Of a bound container.
    Container {
        /// The binding.
        name: String,
        /// What is read.
        fact: ContainerFact,
    },
    /// How many candidates a binding has.
    Count(String),
    /// Whether the bound object is there.
    Alive(String),
    /// Of the machine, read from the first process of its inner stage.
    Machine(ProcessFact),
    /// Of the engine.
    Engine(EngineFact),
    /// Of an image.
    Image {
        /// The reference as written.
        reference: String,
        /// What is read.
        fact: ImageFact,
    },
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A word between dots.
    Word(&'a str),
    /// What stands between brackets.
    Key(&'a str),
}

/// A path that names no fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no fact")]
pub struct Unknown {
    /// The word that is not known.
    pub word: String,
    /// The known word that looks most like it.
    pub closest: Option<String>,
}

impl Unknown {
    /// `steps` do not begin with one of `known`.
    pub(super) fn word<'a>(steps: &[Step<'_>], known: impl IntoIterator<Item = &'a str>) -> Self {
        let word = match steps.first() {
            Some(Step::Word(word)) => (*word).to_owned(),
            Some(Step::Key(key)) => format!("[{key}]"),
            None => String::new(),
        };
        let closest = closest(&word, known);
        Self { word, closest }
    }
}

impl Fact {
    /// Reads a path; `names` are the bindings it may begin with.
    pub fn parse(path: &str, names: &BTreeMap<String, Subject>) -> Result<Self, Unknown> {
        let malformed = || Unknown {
            word: path.chars().take(80).collect(),
            closest: None,
        };
        let steps = steps(path).ok_or_else(malformed)?;
        match steps.as_slice() {
            [Step::Word("machine"), rest @ ..] => ProcessFact::parse(rest).map(Self::Machine),
            [Step::Word("engine"), rest @ ..] => EngineFact::parse(rest).map(Self::Engine),
            [Step::Word("images"), Step::Key(reference), rest @ ..] => {
                let fact = ImageFact::parse(rest)?;
                let reference = (*reference).into();
                Ok(Self::Image { reference, fact })
            }
            [Step::Word(name), rest @ ..] => {
                let known = names.keys().map(String::as_str);
                let subject = names.get(*name).ok_or_else(|| {
                    Unknown::word(&steps, known.chain(["machine", "engine", "images"]))
                })?;
                Self::of(name, *subject, rest)
            }
            _ => Err(malformed()),
        }
    }

    /// The type of its value.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Process { fact, .. } | Self::Machine(fact) => fact.kind(),
            Self::Container { fact, .. } => fact.kind(),
            Self::Count(_) => Kind::Int,
            Self::Alive(_) => Kind::Bool,
            Self::Engine(fact) => fact.kind(),
            Self::Image { fact, .. } => fact.kind(),
        }
    }

    /// The binding it reads, if any.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Process { name, .. }
            | Self::Container { name, .. }
            | Self::Count(name)
            | Self::Alive(name) => Some(name),
            Self::Machine(_) | Self::Engine(_) | Self::Image { .. } => None,
        }
    }

    /// Whether the engine must be asked for it.
    pub fn asks_engine(&self) -> bool {
        matches!(
            self,
            Self::Container { .. } | Self::Engine(_) | Self::Image { .. }
        )
    }

    fn of(name: &str, subject: Subject, rest: &[Step<'_>]) -> Result<Self, Unknown> {
        let name = name.to_owned();
        match (subject, rest) {
            (_, [Step::Word("count")]) => Ok(Self::Count(name)),
            (_, [Step::Word("alive")]) => Ok(Self::Alive(name)),
            (Subject::Process, _) => {
                let fact = ProcessFact::parse(rest)?;
                Ok(Self::Process { name, fact })
            }
            (Subject::Container, _) => {
                let fact = ContainerFact::parse(rest)?;
                Ok(Self::Container { name, fact })
            }
        }
    }
}

/// Cuts a path at its dots and brackets; `None` when a bracket is not closed or a word is empty.
/// What stands between brackets may hold dots.
pub fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    let mut rest = path;
    loop {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        if word.is_empty() {
            return None;
        }
        steps.push(Step::Word(word));
        rest = tail;
        while let Some(tail) = rest.strip_prefix('[') {
            let (key, tail) = tail.split_once(']')?;
            steps.push(Step::Key(key));
            rest = tail;
        }
        if rest.is_empty() {
            return Some(steps);
        }
        rest = rest.strip_prefix('.')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_at_dots_and_brackets() {
        let cut = steps("p.mounts[/a.b/c].fstype").unwrap();
        let expected = [
            Step::Word("p"),
            Step::Word("mounts"),
            Step::Key("/a.b/c"),
            Step::Word("fstype"),
        ];
        assert_eq!(cut, expected);
        for path in ["", ".", "p.", "p..x", "p[/x", "p[/x]y", "[x]"] {
            assert!(steps(path).is_none(), "{path:?} was accepted");
        }
    }

    #[test]
    fn every_documented_fact_is_known() {
        let names = BTreeMap::from([
            ("p".to_owned(), Subject::Process),
            ("c".to_owned(), Subject::Container),
        ]);
        let doc = include_str!("../../../docs/exercises.md");
        let facts = doc.split_once("## Facts").unwrap().1;
        let facts = facts.split_once("## `ask`").unwrap().0;
        let mut seen = 0;
        let mut base = String::new();
        for row in facts.lines().filter(|l| l.starts_with("| `")) {
            let cell = row.split('|').nth(1).unwrap();
            for path in cell.split('`').skip(1).step_by(2) {
                // `.keys` continues the path before it: `p.ipc.shm.count`, `.keys`.
                let path = match path.strip_prefix('.') {
                    Some(last) => format!("{}.{last}", base.rsplit_once('.').unwrap().0),
                    None => path.to_owned(),
                };
                base.clone_from(&path);
                let path = path.replace("KIND", "uts").replace("init.…", "init.pid");
                let fact = Fact::parse(&path, &names);
                assert!(fact.is_ok(), "{path}: {fact:?}");
                seen += 1;
            }
        }
        assert!(seen > 70, "only {seen} facts were found in the document");
    }

    #[test]
    fn an_unknown_word_is_named_with_its_neighbour() {
        let names = BTreeMap::from([("shell".to_owned(), Subject::Process)]);
        let unknown = Fact::parse("shel.pid", &names).unwrap_err();
        assert_eq!(unknown.closest.as_deref(), Some("shell"));
        let unknown = Fact::parse("shell.hostnam", &names).unwrap_err();
        assert_eq!(unknown.closest.as_deref(), Some("hostname"));
        let unknown = Fact::parse("shell.ns.utz", &names).unwrap_err();
        assert_eq!(unknown.word, "utz");
    }
}

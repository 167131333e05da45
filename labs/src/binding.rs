//! What the names of an exercise stand for, from one round to the next.

use std::collections::BTreeMap;
use std::rc::Rc;

use kernel::procfs::Process;

/// An object that a name stands for: never a bare pid.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    /// A process, held by its pidfd.
    Process(Rc<Process>, (i32, u64)),
    /// A container, by its full id.
    Container(String),
}

/// Names one object for ever; equal identities mean the same object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    Process(i32, u64),
    Container(String),
}

impl Object {
    pub(crate) fn identity(&self) -> Identity {
        match self {
            Self::Process(_, (pid, start)) => Identity::Process(*pid, *start),
            Self::Container(id) => Identity::Container(id.clone()),
        }
    }
}

/// A name in one round.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    /// The last object the name stood for.
    pub(crate) object: Option<Object>,
    /// Whether it is there now.
    pub(crate) alive: bool,
    /// How many candidates match now.
    pub(crate) count: usize,
}

/// What each name stood for at the end of the last round.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    held: BTreeMap<String, Bound>,
}

impl Bindings {
    pub(crate) fn held(&self, name: &str) -> Option<&Bound> {
        self.held.get(name)
    }

    pub(crate) fn keep(&mut self, round: BTreeMap<String, Bound>) {
        self.held.extend(round);
    }

    /// Processes whose end is worth a new round.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.held.values().filter_map(|bound| match &bound.object {
            Some(Object::Process(process, _)) if bound.alive => Some(&**process),
            _ => None,
        })
    }
}

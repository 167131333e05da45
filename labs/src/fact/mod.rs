//! The names of facts: what an author may write in a path, and of what type its value is.
//!
//! `path` cuts a path into words, the other files are the catalogue, one per kind of object. The
//! catalogue is what probes match on, so that a documented fact cannot be left unread.

mod container;
mod engine;
mod path;
mod process;

pub use container::{ContainerFact, ContainerWord};
pub use engine::{EngineFact, ImageFact};
pub use path::{Fact, Step, Subject, Unknown, steps};
pub use process::{FileField, IpcField, IpcTable, MountField, ProcessFact, ProcessWord};

/// The type of a fact's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// Words.
    Text,
    /// Words that are an absolute path.
    Path,
    /// Several values, in order.
    List,
}

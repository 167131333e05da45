//! Namespaces beyond the usual: joined by path, with ids or clocks of their own.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A kind of namespace; see namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the manual's own names")]
pub enum Kind {
    User,
    Pid,
    Mount,
    Network,
    Uts,
    Ipc,
    Cgroup,
    Time,
}

/// A namespace that is joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// What it isolates.
    pub kind: Kind,
    /// A file that leads to it, in the runtime's own mount namespace.
    pub path: PathBuf,
}

/// The ids of a new user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserNamespace {
    /// Users.
    pub users: Vec<Extent>,
    /// Groups.
    pub groups: Vec<Extent>,
}

/// A line of an id map; see user_namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// First id inside.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// A clock of a new time namespace; see time_namespaces(7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// `monotonic` or `boottime`.
    pub name: String,
    /// Seconds it is ahead.
    pub seconds: i64,
    /// Nanoseconds it is ahead besides.
    pub nanoseconds: u32,
}

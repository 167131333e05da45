//! What can be done to a container's root, one step at a time.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::runtime::namespaces::UserNamespace;
use crate::runtime::request::{Access, Manner};

/// One thing made in the container's root, before it becomes the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A new file system.
    Mount {
        /// Its type.
        kind: String,
        /// Where.
        target: String,
        /// Its parameters; an empty value is a flag.
        options: Vec<(String, String)>,
        /// Attributes of the mount.
        flags: Vec<Flag>,
        /// How its events travel, if they do.
        propagation: Option<Propagation>,
        /// What it contains at first.
        content: Content,
    },
    /// Every cgroup hierarchy of the stage, as the container's cgroup namespace shows it.
    Cgroups {
        /// Where: a tmpfs with a directory per hierarchy, or version 2 alone.
        target: String,
        /// Whether the container may make groups of its own.
        access: Access,
    },
    /// A file or directory from elsewhere.
    Bind {
        /// What.
        source: Source,
        /// Where.
        target: String,
        /// Whether it may be written through this mount.
        access: Access,
        /// What it has to do with the mounts of its source, where that is the machine's.
        manner: Manner,
    },
    /// A character device with a fixed number.
    Device {
        /// Its name in `/dev`.
        name: String,
        /// Its numbers.
        numbers: (u32, u32),
    },
    /// A device node or named pipe, as a bundle describes it.
    Node(Node),
    /// The group of the container alone, in every hierarchy, where its cgroup namespace is not its
    /// own.
    OwnGroups {
        /// Where: a tmpfs with a directory per hierarchy, or version 2 alone.
        target: String,
        /// Whether the container may make groups of its own.
        access: Access,
    },
    /// Every device of the stage's `/dev` (`--privileged`).
    AllDevices,
    /// A symbolic link.
    Link {
        /// What it says.
        to: String,
        /// Where it is.
        path: String,
    },
    /// A kernel parameter of the container's namespaces.
    Sysctl {
        /// Such as `net.ipv4.ip_forward`.
        name: String,
        /// What is written.
        value: String,
    },
    /// Nothing can be read below this path of `/proc` or `/sys`.
    Mask(String),
    /// Nothing can be written below this path of `/proc` or `/sys`.
    ReadOnly(String),
}

impl Step {
    /// Whether the process has to be in its control groups before: it shows them, or fills memory that they count.
    pub(crate) fn needs_the_group(&self) -> bool {
        match self {
            Self::Cgroups { .. } | Self::OwnGroups { .. } => true,
            Self::Mount { content, .. } => *content == Content::Copied,
            _ => false,
        }
    }
}

/// Where a bound file comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The engine's stage: this one of the plan's `sources`.
    Engine(usize),
    /// The stage of the container.
    Machine(PathBuf),
}

/// An attribute of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// Nothing can be written.
    ReadOnly,
    /// Set-user-id bits do nothing.
    NoSuid,
    /// Devices cannot be opened.
    NoDev,
    /// Programs cannot be executed.
    NoExec,
    /// Access times are not kept.
    NoAtime,
    /// Access times of directories are not kept.
    NoDirAtime,
    /// Every access time is kept.
    StrictAtime,
    /// Access times are kept as the kernel usually does.
    RelAtime,
    /// Symbolic links are not followed.
    NoSymlinks,
}

/// What a new file system contains at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Nothing of ours.
    #[default]
    Fresh,
    /// A copy of the directory it covers (`tmpcopyup`).
    Copied,
}

/// How mount events travel between copies of a mount; see mount_namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Propagation {
    /// Which way.
    pub way: Way,
    /// Whether the mounts below do the same.
    pub reach: Reach,
}

/// Which way mount events travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// None.
    Private,
    /// From the original to the copy.
    Slave,
    /// Both.
    Shared,
    /// None, and the mount cannot be bound elsewhere.
    Unbindable,
}

/// Whether something is about one mount, or about those below it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// One.
    One,
    /// All.
    #[default]
    Tree,
}

/// A file or directory that is bound, and how the copy differs from the original.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Where it is, in the mount namespace of whoever makes the container.
    pub path: PathBuf,
    /// What of it, if not all: a way that no link may change.
    #[serde(default)]
    pub inside: Option<PathBuf>,
    /// Whether the mounts below it come along.
    pub reach: Reach,
    /// Attributes of the mount itself.
    pub own: Attributes,
    /// Attributes of the mount and those below it.
    pub below: Attributes,
    /// How events travel, if they do.
    pub propagation: Option<Propagation>,
    /// The map through which owners are seen, and how far it reaches.
    pub id_map: Option<(UserNamespace, Reach)>,
}

/// Attributes that a copy gets and loses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Gets.
    pub set: Vec<Flag>,
    /// Loses.
    pub clear: Vec<Flag>,
}

impl Bound {
    /// A path with all that is mounted below it, unchanged.
    pub(crate) fn whole(path: PathBuf) -> Self {
        Self {
            path,
            ..Self::default()
        }
    }
}

/// A device node or named pipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Where.
    pub path: String,
    /// What.
    pub kind: NodeKind,
    /// Permissions, whatever the umask.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A character device of these numbers.
    Char(u32, u32),
    /// A block device of these numbers.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
}

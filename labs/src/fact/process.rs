//! Facts of a process.

use kernel::procfs::NamespaceKind;
use kernel::visit::SysvTable;

use super::Kind;
use super::path::{Step, Unknown};

/// A fact of a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcessFact {
    /// One word.
    Word(ProcessWord),
    /// `ns.KIND`: an inode.
    Namespace(NamespaceKind),
    /// `ns.private`: kinds that differ from the machine's.
    PrivateNamespaces,
    /// `ipc.TABLE.FIELD`.
    Ipc(IpcTable, IpcField),
    /// `mounts`: every mount point.
    Mounts,
    /// `mounts[PATH]`, `mounts[PATH].FIELD`.
    Mount(String, MountField),
    /// `files[PATH].FIELD`.
    File(String, FileField),
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident $word:literal $kind:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$item])* $variant,)* }

        impl $name {
            /// Every word, as written in a path.
            pub const WORDS: &[&str] = &[$($word,)*];

            /// The word in a path.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The type of its value.
            pub fn kind(self) -> $crate::fact::Kind {
                match self { $(Self::$variant => $crate::fact::Kind::$kind,)* }
            }

            /// The fact that has this word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
pub(super) use words;

words! {
    /// A fact of a process that is one word.
    ProcessWord {
        /// Pid in the machine.
        Pid "pid" Int,
        /// Parent's pid in the machine.
        Ppid "ppid" Int,
        /// Pids from the machine inwards.
        NsPid "nspid" List,
        /// Pid for itself.
        PidInside "pid_inside" Int,
        /// Pids of itself and its parents.
        Ancestors "ancestors" List,
        /// Names of its children.
        Children "children" List,
        /// Name.
        Comm "comm" Text,
        /// Arguments.
        Argv "argv" List,
        /// Last component of the first argument.
        Argv0 "argv0" Text,
        /// Program.
        Exe "exe" Path,
        /// Working directory.
        Cwd "cwd" Path,
        /// Root directory.
        Root "root" Path,
        /// Controlling terminal.
        Tty "tty" Text,
        /// Scheduling state.
        State "state" Text,
        /// Effective user in the machine.
        Uid "uid" Int,
        /// Effective group in the machine.
        Gid "gid" Int,
        /// Effective user for itself.
        UidInside "uid_inside" Int,
        /// Effective group for itself.
        GidInside "gid_inside" Int,
        /// Map of users.
        UidMap "uid_map" List,
        /// Map of groups.
        GidMap "gid_map" List,
        /// The machine's user that its uid 0 stands for.
        RootOutside "root_outside" Int,
        /// Whether groups may be dropped.
        Setgroups "setgroups" Text,
        /// Effective capabilities.
        CapEff "cap_eff" List,
        /// Permitted capabilities.
        CapPrm "cap_prm" List,
        /// Inheritable capabilities.
        CapInh "cap_inh" List,
        /// Bounding set.
        CapBnd "cap_bnd" List,
        /// Ambient capabilities.
        CapAmb "cap_amb" List,
        /// No privileges from execve.
        NoNewPrivs "no_new_privs" Int,
        /// System-call filter mode.
        Seccomp "seccomp" Int,
        /// Node name.
        Hostname "hostname" Text,
        /// Container it runs in.
        Container "container" Text,
        /// Pid namespace that its `/proc` shows.
        ProcNs "proc_ns" Int,
        /// Where the machine's root is still mounted.
        OldRoot "old_root" Path,
    }
}

words! {
    /// What is read of a mount.
    MountField {
        /// The mount point itself.
        Point "point" Path,
        /// File system type.
        FsType "fstype" Text,
        /// What was mounted.
        Source "source" Text,
        /// The directory that is mounted.
        Root "root" Path,
        /// Options of the mount.
        Options "options" List,
        /// How mounts spread from and to it.
        Propagation "propagation" Text,
        /// The peer group it belongs to.
        PeerGroup "peer_group" Int,
        /// The peer group it receives from.
        Master "master" Int,
        /// Device numbers.
        Dev "dev" Text,
    }
}

words! {
    /// What is read of a file.
    FileField {
        /// Its type.
        Type "type" Text,
        /// Bytes.
        Size "size" Int,
        /// Permission bits.
        Mode "mode" Text,
        /// Owner.
        Uid "uid" Int,
        /// Group.
        Gid "gid" Int,
        /// Short content.
        Text "text" Text,
        /// Digest of the content.
        Sha256 "sha256" Text,
    }
}

words! {
    /// What is read of a table of System V objects.
    IpcField {
        /// How many.
        Count "count" Int,
        /// Their keys.
        Keys "keys" List,
        /// Their sizes.
        Sizes "sizes" List,
    }
}

words! {
    /// A table of System V objects.
    IpcTable {
        /// Message queues.
        Msg "msg" Int,
        /// Semaphore sets.
        Sem "sem" Int,
        /// Shared memory.
        Shm "shm" Int,
    }
}

impl IpcTable {
    /// The kernel's table.
    pub fn table(self) -> SysvTable {
        match self {
            Self::Msg => SysvTable::Msg,
            Self::Sem => SysvTable::Sem,
            Self::Shm => SysvTable::Shm,
        }
    }
}

impl ProcessFact {
    /// Reads the steps behind the name.
    pub fn parse(steps: &[Step<'_>]) -> Result<Self, Unknown> {
        let kinds = || NamespaceKind::ALL.map(NamespaceKind::name);
        match steps {
            [Step::Word("ns"), Step::Word("private")] => Ok(Self::PrivateNamespaces),
            [Step::Word("ns"), rest @ ..] => match rest {
                [Step::Word(word)] => NamespaceKind::ALL
                    .into_iter()
                    .find(|kind| kind.name() == *word)
                    .map(Self::Namespace)
                    .ok_or_else(|| Unknown::word(rest, kinds().into_iter().chain(["private"]))),
                _ => Err(Unknown::word(rest, kinds())),
            },
            [Step::Word("ipc"), Step::Word(table), field] => {
                let unknown = || Unknown::word(&steps[1..], IpcTable::WORDS.iter().copied());
                let table = IpcTable::from_word(table).ok_or_else(unknown)?;
                Ok(Self::Ipc(
                    table,
                    last(&[*field], IpcField::from_word, IpcField::WORDS)?,
                ))
            }
            [Step::Word("mounts")] => Ok(Self::Mounts),
            [Step::Word("mounts"), Step::Key(path)] => {
                Ok(Self::Mount((*path).into(), MountField::Point))
            }
            [Step::Word("mounts"), Step::Key(path), rest @ ..] => {
                let field = last(rest, MountField::from_word, MountField::WORDS)?;
                Ok(Self::Mount((*path).into(), field))
            }
            [Step::Word("files"), Step::Key(path), rest @ ..] => {
                let field = last(rest, FileField::from_word, FileField::WORDS)?;
                Ok(Self::File((*path).into(), field))
            }
            rest => {
                let more = ["ns", "ipc", "mounts", "files", "count", "alive"];
                last(rest, ProcessWord::from_word, ProcessWord::WORDS)
                    .map(Self::Word)
                    .map_err(|_| {
                        Unknown::word(rest, ProcessWord::WORDS.iter().copied().chain(more))
                    })
            }
        }
    }

    /// The type of its value.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Word(word) => word.kind(),
            Self::Namespace(_) => Kind::Int,
            Self::PrivateNamespaces | Self::Mounts => Kind::List,
            Self::Ipc(_, field) => field.kind(),
            Self::Mount(_, field) => field.kind(),
            Self::File(_, field) => field.kind(),
        }
    }
}

/// Exactly one word, which must be known.
pub(super) fn last<T>(
    steps: &[Step<'_>],
    from_word: fn(&str) -> Option<T>,
    known: &[&str],
) -> Result<T, Unknown> {
    match steps {
        [Step::Word(word)] => {
            from_word(word).ok_or_else(|| Unknown::word(steps, known.iter().copied()))
        }
        _ => Err(Unknown::word(
            steps.get(1..).unwrap_or_default(),
            known.iter().copied(),
        )),
    }
}

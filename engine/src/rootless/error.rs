//! Why an ordinary user's engine cannot start, and what to do about it.

use std::path::PathBuf;

use kernel::error::SysError;

/// What stands in the way of an engine without root.
#[derive(Debug, thiserror::Error)]
pub enum RootlessError {
    /// A directory of the user is unknown.
    #[error(
        "{variable} is not set: log in through a session manager, or set it to a directory that only you may enter"
    )]
    Unset {
        /// The variable that names it.
        variable: &'static str,
    },
    /// A program is missing.
    #[error("{program} is not installed: it {purpose}; install the package {package}")]
    Missing {
        /// Which.
        program: &'static str,
        /// What it does here.
        purpose: &'static str,
        /// Where Debian has it.
        package: &'static str,
    },
    /// No program is there that connects the engine's network.
    #[error(
        "neither pasta nor slirp4netns is installed: one of them connects the engine's network to the outside; install \
         the package passt"
    )]
    NoHelper,
    /// The user has no ids to give to containers.
    #[error(
        "{file} gives no ids to {user}: as root, run `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \
         {user}`"
    )]
    NoRange {
        /// `/etc/subuid` or `/etc/subgid`.
        file: &'static str,
        /// The user's name, or number where it has none.
        user: String,
    },
    /// The kernel or its settings forbid user namespaces.
    #[error(
        "an ordinary user may not make user namespaces here ({source}): as root, look at the settings \
         user.max_user_namespaces, kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns"
    )]
    Forbidden {
        /// What the kernel said.
        source: SysError,
    },
    /// `newuidmap` or `newgidmap` refused.
    #[error("{program} refused to map the ids of {file}: {said}")]
    Unmapped {
        /// Which.
        program: &'static str,
        /// Where the ids come from.
        file: &'static str,
        /// Its words.
        said: String,
    },
    /// The network helper refused.
    #[error("{program} cannot connect the engine's network to the outside: {said}")]
    Unconnected {
        /// Which.
        program: &'static str,
        /// Its words.
        said: String,
    },
    /// The containers that live are in a control group that cannot be entered from here.
    #[error(
        "the engine's containers live in the control group {}, which cannot be entered from here ({source}): start the \
         engine where it was started before, such as a unit of `systemctl --user`, or end the containers first",
        .group.display()
    )]
    Elsewhere {
        /// Its directory.
        group: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The parent ended without a word.
    #[error("the parent of the rootless engine ended before it was ready")]
    Silent,
    /// The parent says why it cannot begin, with its remedy.
    #[error("{0}")]
    Parent(String),
    /// The parent answered something else than what was asked.
    #[error("the parent of the rootless engine does not answer as expected")]
    Nonsense,
    /// A file of the user's own cannot be used.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A step failed inside the new namespaces.
    #[error("cannot prepare the engine's namespaces: {0}")]
    Inside(String),
    /// A system call failed.
    #[error(transparent)]
    Sys(#[from] SysError),
}

impl RootlessError {
    /// A failed operation on a file.
    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}

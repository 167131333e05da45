//! The executable `quai`: which role this process plays is decided first, its runtime second.
//!
//! One file is installed; `argv[0]` (a link named `docker`, `dockerd`, `quai-runtime`) or the
//! first argument chooses the role. Only roles that serve sockets start an async runtime.

mod app;
mod build_role;
mod catalogue;
mod config;
mod course;
mod engine_role;
mod error;
mod local;
mod machine;
mod progress;
mod published;
mod registry_role;
mod router;
mod routes;
mod session;
mod tools;
mod watcher;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// What this process is for: each role has one owner, one privilege and one reason to exist.
enum Role {
    /// The lab of one learner on this host.
    Local,
    /// The container engine: the Docker API on a socket.
    Engine,
    /// What stays on the host of an ordinary user's engine.
    RootlessParent,
    /// The Docker-compatible command line.
    Docker,
    /// `docker build`, also without a daemon.
    Build,
    /// An ordinary user's program as root of namespaces of its own.
    UserRoot,
    /// The OCI runtime: containers from bundles, for other engines.
    Runtime,
    /// The parent of one container.
    Shim,
    /// A layer's archive becomes files, confined.
    Unpack,
    /// A registry of one's own.
    Registry,
    /// The images a platform offers, in a store that machines only read.
    Catalogue,
    /// The catalogue and the course in one file.
    Bundle,
    /// The checks of one exercise on one machine.
    Watcher,
    /// What this host offers and lacks.
    Doctor,
    /// What is wrong in the course.
    Content,
    /// The host's root, for machines.
    Helper,
    /// PID 1 of a machine's outer stage.
    Keeper,
    /// PID 1 of a machine's inner stage.
    MachineInit,
    /// The end of all machines.
    Down,
    /// The packet rules of an engine's networks, explained.
    Network,
    /// The script with which a shell completes what is typed.
    Completion,
    /// What may stand at the end of a line.
    Complete,
    /// What there is to type.
    Help,
    /// Which build this is.
    Version,
    /// A word that names no role; empty when there was none.
    Unknown(String),
}

impl Role {
    /// Reads the role from `argv[0]` and the first argument; the rest are the role's own words.
    fn from_args(mut args: impl Iterator<Item = OsString>) -> (Self, Vec<OsString>) {
        let name = args.next().unwrap_or_default();
        // A link's name is a role, so that `docker` on the PATH is this executable.
        match Path::new(&name).file_name().and_then(|name| name.to_str()) {
            Some("docker") => return (Self::Docker, args.collect()),
            Some("quai-runtime") => return (Self::Runtime, args.collect()),
            Some("dockerd") => return (Self::Engine, args.collect()),
            _ => {}
        }
        let word = args.next().unwrap_or_default();
        let role = match word.to_str() {
            Some("local") => Self::Local,
            Some("engine") => Self::Engine,
            Some("rootless-parent") => Self::RootlessParent,
            Some("docker") => Self::Docker,
            Some("runtime") => Self::Runtime,
            // `quai image explore` and `quai compose` are the docker commands of these names.
            Some("image" | "compose") => {
                return (Self::Docker, std::iter::once(word).chain(args).collect());
            }
            Some("build") => Self::Build,
            Some("user-root") => Self::UserRoot,
            Some("shim") => Self::Shim,
            Some("unpack") => Self::Unpack,
            Some("registry") => Self::Registry,
            Some("catalogue") => Self::Catalogue,
            Some("bundle") => Self::Bundle,
            Some("watcher") => Self::Watcher,
            Some("doctor") => Self::Doctor,
            Some("content") => Self::Content,
            Some("helper") => Self::Helper,
            Some("keeper") => Self::Keeper,
            Some("machine-init") => Self::MachineInit,
            Some("down") => Self::Down,
            Some("network") => Self::Network,
            Some("completion") => Self::Completion,
            Some("__complete") => Self::Complete,
            Some("help" | "--help" | "-h") => Self::Help,
            Some("version" | "--version" | "-V") => Self::Version,
            _ => Self::Unknown(word.to_string_lossy().into_owned()),
        };
        (role, args.collect())
    }
}

fn main() -> ExitCode {
    let (role, words) = Role::from_args(std::env::args_os());
    match role {
        Role::Local => local::run(&words),
        Role::Engine => engine_role::run(words),
        Role::RootlessParent => engine::rootless::run(&words),
        Role::Docker => engine::cli::main(words),
        Role::Runtime => engine::oci_cli::main(words),
        Role::Build => build_role::run(words),
        Role::UserRoot => engine::roles::user_root::run(words),
        Role::Shim => engine::roles::shim::run(),
        Role::Unpack => engine::store::unpacker(),
        Role::Registry => registry_role::run(words),
        Role::Catalogue => catalogue::run(words),
        Role::Bundle => tools::bundle::run(words),
        Role::Watcher => watcher::run(words),
        Role::Doctor => tools::doctor::run(&words),
        Role::Content => tools::content::run(&words),
        Role::Helper => machine::helper::run(&words),
        Role::Keeper => machine::keeper::run(),
        Role::MachineInit => machine::inner::run(),
        Role::Down => machine::helper::down(words),
        Role::Network => tools::network::run(&words),
        Role::Completion => tools::completion::script(words),
        Role::Complete => tools::completion::candidates(words),
        Role::Help => tools::help::show(),
        Role::Version => tools::help::version(),
        Role::Unknown(word) => tools::help::refuse(&word),
    }
}

/// A fresh folder for one test.
#[cfg(test)]
fn test_folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("quai-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a test may write in the temporary folder");
    folder
}

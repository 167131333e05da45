//! What is kept of a container between two calls, and how it is found to be doing.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use kernel::cgroup::{Cgroup, Layout};
use kernel::process;
use kernel::procfs::Process;
use serde::{Deserialize, Serialize};

use super::error::CliError;
use super::global::Global;
use crate::oci::runtime_spec::{self, Spec};
use crate::runtime::hooks::Hooks;

/// The file of a container's directory that holds this record.
const RECORD: &str = "state.json";

/// The same before it is visible.
const UNSEEN: &str = "state.json.new";

/// A copy of the bundle's `config.json` as it was when the container was made.
const CONFIG: &str = "config.json";

/// The socket file behind which a created container waits.
const DOOR: &str = "start.sock";

/// A container, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// Its first process.
    pub(super) pid: u32,
    /// When that began, in clock ticks since the boot: a recycled number differs.
    pub(super) start_time: u64,
    /// When the container was made.
    pub(super) created: String,
    /// Its root file system.
    pub(super) rootfs: PathBuf,
    /// Its group below the root of every hierarchy, if it has one.
    pub(super) cgroup: Option<PathBuf>,
    /// Who made it.
    pub(super) owner: u32,
    /// Its hooks, and what they are told.
    pub(super) hooks: Hooks,
}

impl Record {
    /// The name of who made it, as the host's own file has it.
    pub(super) fn owner_name(&self) -> String {
        let number = self.owner.to_string();
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let entry = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == number).then(|| name.to_owned())
        });
        entry.unwrap_or(number)
    }
}

/// How a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Waits for `start`.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its first process has ended.
    Stopped,
}

impl Status {
    /// As the specification spells it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

/// A container's directory, made but not yet filled; removed again unless [`kept`](Self::keep).
#[derive(Debug)]
pub(super) struct Reservation {
    directory: Option<PathBuf>,
}

impl Reservation {
    /// Makes the directory of a container; fails when there is one.
    pub(super) fn make(global: &Global, id: &str) -> Result<Self, CliError> {
        check_id(id)?;
        let mut private = fs::DirBuilder::new();
        private.mode(0o700);
        let mut above = fs::DirBuilder::new();
        let made = above.mode(0o700).recursive(true).create(&global.root);
        made.map_err(file("create", &global.root))?;
        let directory = global.container(id);
        match private.create(&directory) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(CliError::Exists),
            Err(e) => Err(file("create", &directory)(e)),
            Ok(()) => Ok(Self {
                directory: Some(directory),
            }),
        }
    }

    /// Hands the directory over to the record in it.
    pub(super) fn keep(mut self) {
        self.directory = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// A container that was found.
#[derive(Debug)]
pub(super) struct Container {
    /// Its id.
    pub(super) id: String,
    /// What is kept in its directory.
    pub(super) directory: PathBuf,
    /// The record.
    pub(super) record: Record,
}

impl Container {
    /// Finds a container.
    pub(super) fn load(global: &Global, id: &str) -> Result<Self, CliError> {
        check_id(id)?;
        let directory = global.container(id);
        let path = directory.join(RECORD);
        let record = match runtime_spec::load_document(&path) {
            Err(runtime_spec::ConfigError::Read { source, .. })
                if source.kind() == ErrorKind::NotFound =>
            {
                return Err(CliError::Missing);
            }
            other => other?,
        };
        Ok(Self {
            id: id.to_owned(),
            directory,
            record,
        })
    }

    /// Every container of the root directory; one that is half made is left out.
    pub(super) fn all(global: &Global) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(&global.root) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        let load = |id: &String| Self::load(global, id).ok();
        names.iter().filter_map(load).collect()
    }

    /// How it is doing.
    pub(super) fn status(&self) -> Status {
        if !self.is_alive() {
            return Status::Stopped;
        }
        if self.door().exists() {
            return Status::Created;
        }
        match self.group() {
            Some(group) if group.is_frozen() => Status::Paused,
            _ => Status::Running,
        }
    }

    fn is_alive(&self) -> bool {
        let Ok(pid) = i32::try_from(self.record.pid) else {
            return false;
        };
        let stat = Process::open(pid).and_then(|process| process.stat());
        stat.is_ok_and(|stat| {
            stat.start_time == self.record.start_time && !matches!(stat.state, 'Z' | 'X')
        })
    }

    /// A descriptor of its first process.
    pub(super) fn init(&self) -> Result<OwnedFd, CliError> {
        let pid = i32::try_from(self.record.pid).map_err(|_| CliError::NotRunning)?;
        let pidfd = process::pidfd_open(pid).map_err(|_| CliError::NotRunning)?;
        // Checked after it was opened: whoever it is now, it stays.
        if self.is_alive() {
            Ok(pidfd)
        } else {
            Err(CliError::NotRunning)
        }
    }

    /// The socket file behind which it waits for `start`.
    pub(super) fn door(&self) -> PathBuf {
        door(&self.directory)
    }

    /// The `config.json` it was made from.
    pub(super) fn config(&self) -> Result<Spec, CliError> {
        Ok(runtime_spec::load_document(&self.directory.join(CONFIG))?)
    }

    /// Its group, if it has one and it can be found.
    pub(super) fn group(&self) -> Option<Cgroup> {
        let path = self.record.cgroup.as_ref()?;
        let layout = Layout::detect().ok()?;
        Some(Cgroup::new(&layout, path))
    }
}

/// The socket file in a container's directory behind which it waits.
pub(super) fn door(directory: &Path) -> PathBuf {
    directory.join(DOOR)
}

/// When a process began, in clock ticks since the boot.
pub(super) fn start_time(pid: u32) -> Result<u64, CliError> {
    let pid = i32::try_from(pid).unwrap_or(i32::MAX);
    let stat = Process::open(pid).and_then(|process| process.stat());
    let stat = stat.map_err(|source| CliError::Kernel {
        what: "the container's process cannot be found",
        source,
    })?;
    Ok(stat.start_time)
}

/// Writes a record that nobody sees yet, and the document the container came from.
pub(super) fn write(directory: &Path, record: &Record, config: &Path) -> Result<(), CliError> {
    let copy = directory.join(CONFIG);
    fs::copy(config, &copy).map_err(file("write", &copy))?;
    let beside = directory.join(UNSEEN);
    let json = serde_json::to_vec(record).expect("a record has string keys only");
    fs::write(&beside, json).map_err(file("write", &beside))
}

/// Makes the container visible whose record was [written](write).
pub(super) fn publish(directory: &Path) -> Result<(), CliError> {
    let path = directory.join(RECORD);
    fs::rename(directory.join(UNSEEN), &path).map_err(file("write", &path))
}

fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let path = path.to_owned();
    move |source| CliError::File { what, path, source }
}

/// The id becomes a directory's name: it must be nothing else.
fn check_id(id: &str) -> Result<(), CliError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    if id.is_empty() || id.len() > 1024 || id == "." || id == ".." || !id.chars().all(plain) {
        return Err(CliError::BadId(id.to_owned()));
    }
    Ok(())
}

//! A group: the same path in every hierarchy, and what can be done with it.

use std::fs;
use std::io::{Error, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Hierarchy, Layout, Limit, Setting, Version, devices};
use crate::error::SysError;
use crate::fs::Access;
use crate::process::{self, Signal};

/// Whether a process began in the group's directory of version 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It did.
    BornThere,
    /// It did not, or nobody knows.
    Elsewhere,
}

/// One group: the same path in every hierarchy.
#[derive(Clone, Debug)]
pub struct Cgroup {
    layout: Layout,
    path: PathBuf,
}

impl Cgroup {
    /// Names the group at `path`, relative to the root of every hierarchy; creates nothing.
    pub fn new(layout: &Layout, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        Self {
            layout: layout.clone(),
            path: path.strip_prefix("/").unwrap_or(path).to_owned(),
        }
    }

    /// The group `name` below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self {
            layout: self.layout.clone(),
            path: self.path.join(name),
        }
    }

    /// The path below the root of each hierarchy.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The trees it is in.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The directories of this group, one for each hierarchy.
    pub fn directories(&self) -> impl Iterator<Item = PathBuf> {
        self.layout
            .hierarchies()
            .iter()
            .map(|h| h.mount.join(&self.path))
    }

    /// The directory of this group where `controller` is, if it is mounted.
    pub fn directory(&self, controller: &str) -> Option<PathBuf> {
        let hierarchy = self.layout.of(controller)?;
        Some(hierarchy.mount.join(&self.path))
    }

    /// Creates the group, and those above it, wherever they do not exist.
    pub fn create(&self) -> Result<(), SysError> {
        self.create_in(self.layout.hierarchies())
    }

    /// The same in the tree of version 2 alone, if there is one: what a child needs that is to be born in the group.
    pub fn create_birthplace(&self) -> Result<(), SysError> {
        self.create_in(self.layout.unified())
    }

    fn create_in<'h>(
        &self,
        hierarchies: impl IntoIterator<Item = &'h Hierarchy>,
    ) -> Result<(), SysError> {
        for hierarchy in hierarchies {
            let mut directory = hierarchy.mount.clone();
            for part in &self.path {
                let above = directory.clone();
                directory.push(part);
                match fs::create_dir(&directory) {
                    Ok(()) => hierarchy.inherit(&above, &directory)?,
                    Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                    Err(e) => return Err(on("mkdir", e, &directory)),
                }
            }
        }
        Ok(())
    }

    /// Creates the group where its parent holds processes, and so can give it no controllers yet.
    pub fn create_leaf(&self) -> Result<(), SysError> {
        for directory in self.directories() {
            match fs::create_dir(&directory) {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                    return Err(on("mkdir", e, &directory));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives the children of this group the controllers it has (version 2 only).
    ///
    /// Fails when a process sits in this very group.
    pub fn enable_controllers(&self) -> Result<(), SysError> {
        for hierarchy in self.layout.hierarchies() {
            if hierarchy.version == Version::V2 {
                enable(&hierarchy.mount.join(&self.path))?;
            }
        }
        Ok(())
    }

    /// Moves a process into the group, in every hierarchy.
    pub fn add(&self, pid: i32) -> Result<(), SysError> {
        for directory in self.directories() {
            write(&directory.join("cgroup.procs"), &pid.to_string())?;
        }
        Ok(())
    }

    /// The directory in the tree of version 2, if there is one: a child can be born in it (`fork_in`).
    pub fn birthplace(&self) -> Result<Option<OwnedFd>, SysError> {
        let Some(unified) = self.layout.unified() else {
            return Ok(None);
        };
        crate::fs::open(&unified.mount.join(&self.path), Access::Directory).map(Some)
    }

    /// Moves this very process, which has one thread, into the group; into the tree of version 2 only when it was not
    /// born there.
    ///
    /// Of a single thread that moves itself the kernel asks no lock. `cgroup.procs` would make it stop every fork and
    /// exit of the host first, and wait milliseconds until that is so; see `cgroup_attach_lock` in kernel/cgroup.
    pub fn enter(&self, from: Origin) -> Result<(), SysError> {
        for hierarchy in self.layout.hierarchies() {
            let file = match (hierarchy.version, from) {
                (Version::V1, _) => "tasks",
                (Version::V2, Origin::Elsewhere) => "cgroup.procs",
                (Version::V2, Origin::BornThere) => continue,
            };
            // To the kernel 0 is whoever writes.
            write(&hierarchy.mount.join(&self.path).join(file), "0")?;
        }
        Ok(())
    }

    /// Sets limits; a controller that is not mounted is an error.
    ///
    /// A list of devices on version 2 needs the rights that bpf(2) asks for in the initial user namespace.
    pub fn limit(&self, limits: &[Limit]) -> Result<(), SysError> {
        limits.iter().try_for_each(|limit| self.limit_one(limit))
    }

    fn limit_one(&self, limit: &Limit) -> Result<(), SysError> {
        if let (Limit::Devices(rules), None, Some(unified)) =
            (limit, self.layout.of("devices"), self.layout.unified())
        {
            return devices::attach(&unified.mount.join(&self.path), rules);
        }
        let unsupported = |why| {
            let source = Error::new(ErrorKind::Unsupported, why);
            let name = limit.controller(Version::V1);
            SysError::io("cgroup limit", source).on(format!("{name}: {limit:?}"))
        };
        let found = [Version::V1, Version::V2].into_iter().find_map(|version| {
            let hierarchy = match limit {
                Limit::Unified(file, _) if file.starts_with("cgroup.") => self.layout.unified(),
                _ => self.layout.of(limit.controller(version)),
            };
            hierarchy.filter(|hierarchy| hierarchy.version == version)
        });
        let hierarchy = found.ok_or_else(|| unsupported("the controller is not mounted"))?;
        let settings = limit.settings(hierarchy.version);
        if settings.is_empty() {
            return Err(unsupported(
                "this version of control groups has no such limit",
            ));
        }
        let directory = hierarchy.mount.join(&self.path);
        let written = settings.iter().try_for_each(|one| set(&directory, one));
        match written {
            // A limit may not cross the one beside it: grown in this order, they are shrunk in the
            // other one.
            Err(e) if settings.len() > 1 && e.source.kind() == ErrorKind::InvalidInput => settings
                .iter()
                .rev()
                .try_for_each(|one| set(&directory, one)),
            other => other,
        }
    }

    /// Hands the group to a user, who may then make children and move processes among them, but
    /// not change the limits set here; see cgroups(7), "Delegation".
    pub fn delegate(&self, uid: u32, gid: u32) -> Result<(), SysError> {
        for hierarchy in self.layout.hierarchies() {
            let directory = hierarchy.mount.join(&self.path);
            chown(&directory, uid, gid)?;
            let files: &[&str] = match hierarchy.version {
                Version::V1 => &["cgroup.procs", "tasks"],
                Version::V2 => &["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"],
            };
            for file in files {
                chown(&directory.join(file), uid, gid)?;
            }
        }
        Ok(())
    }

    /// Lets a user move processes between the children of this group (version 2 asks for the right
    /// to write the common ancestor's `cgroup.procs`).
    pub fn delegate_moves(&self, uid: u32, gid: u32) -> Result<(), SysError> {
        for hierarchy in self.layout.hierarchies() {
            if hierarchy.version == Version::V2 {
                let file = hierarchy.mount.join(&self.path).join("cgroup.procs");
                chown(&file, uid, gid)?;
            }
        }
        Ok(())
    }

    /// Reads a file of the group, such as `memory.current`, where `controller` is mounted.
    pub fn read(&self, controller: &str, file: &str) -> Result<String, SysError> {
        let directory = self.directory(controller).ok_or_else(|| {
            let source = Error::new(ErrorKind::Unsupported, "the controller is not mounted");
            SysError::io("read", source).on(controller)
        })?;
        let path = directory.join(file);
        fs::read_to_string(&path).map_err(|e| on("read", e, &path))
    }

    /// The version under which `controller` is mounted.
    pub fn version(&self, controller: &str) -> Option<Version> {
        Some(self.layout.of(controller)?.version)
    }

    /// Whether the group exists in any hierarchy.
    pub fn exists(&self) -> bool {
        self.directories().any(|d| d.exists())
    }

    /// The processes in this group and below it.
    pub fn processes(&self) -> Vec<i32> {
        let mut found = Vec::new();
        for directory in self.directories() {
            collect(&directory, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Stops every process in the group without ending it.
    pub fn freeze(&self) -> Result<(), SysError> {
        self.set_frozen("FROZEN", "1")
    }

    /// Lets every process in the group go on.
    pub fn thaw(&self) -> Result<(), SysError> {
        self.set_frozen("THAWED", "0")
    }

    /// Whether the group has been frozen.
    pub fn is_frozen(&self) -> bool {
        let text = match (self.directory("freezer"), self.layout.unified()) {
            (Some(directory), _) => fs::read_to_string(directory.join("freezer.state")),
            (None, Some(unified)) => {
                fs::read_to_string(unified.mount.join(&self.path).join("cgroup.freeze"))
            }
            (None, None) => return false,
        };
        text.is_ok_and(|text| matches!(text.trim(), "FROZEN" | "FREEZING" | "1"))
    }

    fn set_frozen(&self, v1: &str, v2: &str) -> Result<(), SysError> {
        if let Some(directory) = self.directory("freezer") {
            return write(&directory.join("freezer.state"), v1);
        }
        match self.layout.unified() {
            Some(unified) => write(&unified.mount.join(&self.path).join("cgroup.freeze"), v2),
            None => Err(SysError::io(
                "cgroup freeze",
                Error::new(ErrorKind::Unsupported, "no freezer is mounted"),
            )),
        }
    }

    /// Ends every process in the group and below it.
    pub fn kill(&self) -> Result<(), SysError> {
        if let Some(unified) = self.layout.unified() {
            let file = unified.mount.join(&self.path).join("cgroup.kill");
            if file.exists() {
                write(&file, "1")?;
            }
        }
        // Version 1 has no such file: frozen processes cannot fork away from the signals.
        let frozen = self.directory("freezer").is_some_and(|d| d.exists());
        if frozen {
            self.freeze()?;
        }
        for pid in self.processes() {
            // It may have ended meanwhile.
            let _ = process::kill(pid, Signal::KILL);
        }
        if frozen { self.thaw() } else { Ok(()) }
    }

    /// Waits until no process is left; `false` when some still are at the end of `patience`.
    pub fn wait_empty(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        loop {
            if self.processes().is_empty() {
                return true;
            }
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Removes all groups below this one and takes the controllers from them, so that processes can
    /// be put into this very group again.
    pub fn clear(&self) -> Result<(), SysError> {
        for hierarchy in self.layout.hierarchies() {
            let directory = hierarchy.mount.join(&self.path);
            for child in children(&directory) {
                remove_tree(&child)?;
            }
            if hierarchy.version == Version::V2 {
                disable(&directory)?;
            }
        }
        Ok(())
    }

    /// Removes the group where nobody is in it and nothing below it; whether it is gone in every hierarchy.
    pub fn remove_if_empty(&self) -> bool {
        let gone = |directory: &PathBuf| match fs::remove_dir(directory) {
            Ok(()) => true,
            Err(e) => e.kind() == ErrorKind::NotFound,
        };
        // All are tried, whatever becomes of the first.
        let left = self
            .directories()
            .filter(|directory| !gone(directory))
            .count();
        left == 0
    }

    /// Removes the group and all below it, in every hierarchy; fails where a process is left.
    pub fn remove(&self) -> Result<(), SysError> {
        let mut first = Ok(());
        for directory in self.directories() {
            if let Err(e) = remove_tree(&directory)
                && first.is_ok()
            {
                first = Err(e);
            }
        }
        first
    }
}

/// Gives the children of `directory` every controller it has.
pub(super) fn enable(directory: &Path) -> Result<(), SysError> {
    let file = directory.join("cgroup.controllers");
    let available = fs::read_to_string(&file).map_err(|e| on("read", e, &file))?;
    let words: Vec<_> = available
        .split_whitespace()
        .map(|name| format!("+{name}"))
        .collect();
    if words.is_empty() {
        return Ok(());
    }
    write(&directory.join("cgroup.subtree_control"), &words.join(" "))
}

/// Takes from the children of `directory` every controller they have.
fn disable(directory: &Path) -> Result<(), SysError> {
    let file = directory.join("cgroup.subtree_control");
    let given = fs::read_to_string(&file).map_err(|e| on("read", e, &file))?;
    let words: Vec<_> = given.split_whitespace().map(|n| format!("-{n}")).collect();
    if words.is_empty() {
        return Ok(());
    }
    write(&file, &words.join(" "))
}

fn collect(directory: &Path, found: &mut Vec<i32>) {
    if let Ok(text) = fs::read_to_string(directory.join("cgroup.procs")) {
        found.extend(text.lines().filter_map(|l| l.parse::<i32>().ok()));
    }
    for child in children(directory) {
        collect(&child, found);
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        .map(|e| e.path())
        .collect()
}

fn remove_tree(directory: &Path) -> Result<(), SysError> {
    // Most groups have none below them: asking costs more than the removal.
    match fs::remove_dir(directory) {
        Ok(()) => return Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) if e.kind() == ErrorKind::ResourceBusy => {}
        Err(e) => return Err(on("rmdir", e, directory)),
    }
    for child in children(directory) {
        remove_tree(&child)?;
    }
    // Just after its last process ended a group may still be busy for a moment.
    let end = Instant::now() + Duration::from_millis(500);
    loop {
        match fs::remove_dir(directory) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) if e.kind() == ErrorKind::ResourceBusy && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(e) => return Err(on("rmdir", e, directory)),
        }
    }
}

/// Writes one setting, or what stands for it in this kernel.
fn set(directory: &Path, setting: &Setting) -> Result<(), SysError> {
    let missing = |e: &SysError| e.source.kind() == ErrorKind::NotFound;
    let mut written = write(&directory.join(setting.file.as_ref()), &setting.value);
    if let (Err(e), Some((file, value))) = (&written, &setting.otherwise)
        && missing(e)
    {
        written = write(&directory.join(file), value);
    }
    match written {
        Err(e) if setting.optional && e.source.kind() != ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

fn chown(path: &Path, uid: u32, gid: u32) -> Result<(), SysError> {
    std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|e| on("chown", e, path))
}

pub(super) fn write(path: &Path, value: &str) -> Result<(), SysError> {
    // Not `fs::write`: a missing file of the kernel's cannot be created, and must not be.
    let file = fs::OpenOptions::new().write(true).open(path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, value.as_bytes()))
        .map_err(|e| SysError::io("write", e).on(format!("{} = {value}", path.display())))
}

pub(super) fn on(call: &'static str, source: Error, path: &Path) -> SysError {
    SysError::io(call, source).on(path.to_string_lossy())
}

//! Which controllers are mounted where.

use std::fs;
use std::path::{Path, PathBuf};

use super::group::{enable, on, write};
use crate::error::SysError;

/// The interface of a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One tree for each controller.
    V1,
    /// One tree for all.
    V2,
}

/// One mounted tree of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its interface.
    pub version: Version,
    /// Its controllers; a named tree of version 1 has `name=…`.
    pub controllers: Vec<String>,
}

/// All the trees of a host or of a mount namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout(Vec<Hierarchy>);

impl Layout {
    /// Reads what this process can reach. A tree that another mount covers is not there for it.
    pub fn detect() -> Result<Self, SysError> {
        let mut layout = Self::read(is_on_top)?;
        for hierarchy in &mut layout.0 {
            if hierarchy.version == Version::V2 {
                let file = hierarchy.mount.join("cgroup.controllers");
                let names = fs::read_to_string(&file).map_err(|e| on("read", e, &file))?;
                hierarchy.controllers = names.split_whitespace().map(str::to_owned).collect();
            }
        }
        Ok(layout)
    }

    /// Whether this host has trees of version 1, be they covered or not.
    pub fn host_has_v1() -> bool {
        Self::read(|_, _| true)
            .is_ok_and(|layout| layout.0.iter().any(|h| h.version == Version::V1))
    }

    fn read(counts: impl Fn(&Path, &str) -> bool) -> Result<Self, SysError> {
        let path = Path::new("/proc/self/mountinfo");
        let text = fs::read_to_string(path).map_err(|e| on("read", e, path))?;
        Ok(Self::parse(&text, counts))
    }

    /// Reads `mountinfo`; the controllers of version 2 are not in it. Of a tree that is mounted
    /// several times the first mount counts, of those that `counts` accepts by place and device.
    fn parse(mountinfo: &str, counts: impl Fn(&Path, &str) -> bool) -> Self {
        let mut found: Vec<Hierarchy> = Vec::new();
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else {
                continue;
            };
            let mut right = right.split(' ');
            let version = match right.next() {
                Some("cgroup") => Version::V1,
                Some("cgroup2") => Version::V2,
                _ => continue,
            };
            let mut left = left.split(' ').skip(2);
            let (Some(device), Some(mount)) = (left.next(), left.nth(1)) else {
                continue;
            };
            if !counts(Path::new(mount), device) {
                continue;
            }
            let controllers: Vec<String> = match version {
                Version::V2 => Vec::new(),
                Version::V1 => right
                    .nth(1)
                    .unwrap_or_default()
                    .split(',')
                    .filter(|o| is_controller(o))
                    .map(str::to_owned)
                    .collect(),
            };
            let hierarchy = Hierarchy {
                mount: PathBuf::from(mount),
                version,
                controllers,
            };
            let same =
                |h: &Hierarchy| h.version == version && h.controllers == hierarchy.controllers;
            if !found.iter().any(same) {
                found.push(hierarchy);
            }
        }
        Self(found)
    }

    /// Every tree.
    pub fn hierarchies(&self) -> &[Hierarchy] {
        &self.0
    }

    /// The tree that holds `controller`.
    ///
    /// Version 2 has device rules and freezing without controllers of these names: they are not
    /// found here.
    pub fn of(&self, controller: &str) -> Option<&Hierarchy> {
        let holds = |h: &&Hierarchy| h.controllers.iter().any(|c| c == controller);
        self.0.iter().find(holds)
    }

    /// A layout of the tree of version 2 alone.
    #[must_use]
    pub fn only_unified(mut self) -> Self {
        self.0.retain(|h| h.version == Version::V2);
        self
    }

    /// The directories of this process's own group, one for each tree, in order.
    pub fn own_directories(&self) -> Result<Vec<PathBuf>, SysError> {
        let path = Path::new("/proc/self/cgroup");
        let text = fs::read_to_string(path).map_err(|e| on("read", e, path))?;
        Ok(self
            .0
            .iter()
            .map(|tree| tree.mount.join(tree.own_path(&text)))
            .collect())
    }

    /// The tree of version 2.
    pub fn unified(&self) -> Option<&Hierarchy> {
        self.0.iter().find(|h| h.version == Version::V2)
    }
}

/// Whether what is found at a mount's place is still on its device (`major:minor`).
fn is_on_top(mount: &Path, device: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(mount).is_ok_and(|found| {
        let (major, minor) = crate::fs::device_numbers(found.dev());
        device == format!("{major}:{minor}")
    })
}

/// Mount options of version 1 that are not controllers.
fn is_controller(option: &str) -> bool {
    let plain = [
        "rw",
        "ro",
        "clone_children",
        "cpuset_v2_mode",
        "noprefix",
        "xattr",
        "none",
        "favordynmods",
        "nofavordynmods",
    ];
    !plain.contains(&option) && !option.starts_with("release_agent=")
}

impl Hierarchy {
    /// The path of a process in this tree, from its `/proc/PID/cgroup`; see cgroups(7).
    pub fn own_path(&self, text: &str) -> PathBuf {
        let mut lines = text.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            Some((fields.next()?, fields.next()?, fields.next()?))
        });
        let found = lines.find(|(number, names, _)| match self.version {
            Version::V2 => *number == "0" && names.is_empty(),
            Version::V1 => names
                .split(',')
                .any(|name| self.controllers.iter().any(|own| own == name)),
        });
        let path = found.map_or("/", |(_, _, path)| path);
        PathBuf::from(path.trim_start_matches('/'))
    }

    /// What a new group needs before it can hold processes or have limited children.
    pub(super) fn inherit(&self, above: &Path, new: &Path) -> Result<(), SysError> {
        match self.version {
            Version::V2 => match enable(above) {
                // A group with processes of its own cannot; its children go without limits, and
                // setting one will say so.
                Err(e) if is_busy(&e) => Ok(()),
                other => other,
            },
            Version::V1 if self.controllers.iter().any(|c| c == "cpuset") => {
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    let read = |directory: &Path| {
                        let from = directory.join(file);
                        fs::read_to_string(&from).map_err(|e| on("read", e, &from))
                    };
                    // Below a group of ours it has come down by itself (`clone_children`); to write it makes the kernel
                    // plan all its processors anew.
                    if read(new)?.trim().is_empty() {
                        write(&new.join(file), read(above)?.trim())?;
                    }
                }
                // The learner's own groups shall be usable as soon as they are made.
                write(&new.join("cgroup.clone_children"), "1")
            }
            Version::V1 => Ok(()),
        }
    }
}

fn is_busy(error: &SysError) -> bool {
    matches!(
        error.source.kind(),
        std::io::ErrorKind::ResourceBusy | std::io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 20 0:25 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:27 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
33 30 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
34 30 0:26 / /mnt/again rw,relatime - cgroup cgroup rw,cpu,cpuacct
";

    #[test]
    fn a_hybrid_host_is_read_tree_by_tree() {
        let layout = Layout::parse(HYBRID, |_, _| true);
        assert_eq!(layout.hierarchies().len(), 3);
        let cpu = layout.of("cpuacct").unwrap();
        assert_eq!(cpu.mount, Path::new("/sys/fs/cgroup/cpu"));
        assert_eq!(cpu.version, Version::V1);
        assert!(layout.of("memory").is_none());
        assert!(layout.unified().is_some());
    }

    #[test]
    fn of_a_tree_mounted_twice_the_one_that_is_not_covered_counts() {
        let layout = Layout::parse(HYBRID, |mount, _| mount.starts_with("/mnt"));
        assert_eq!(layout.hierarchies().len(), 1);
        let cpu = layout.of("cpu").unwrap();
        assert_eq!(cpu.mount, Path::new("/mnt/again"));
    }
}

//! What a container sees of the control groups.

use std::borrow::Cow;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use kernel::cgroup::{Layout, Version};
use kernel::error::SysError;
use kernel::fs::Dir;
use kernel::mount::{self, Attributes, Change, Depth};

use super::Flag;
use super::apply::{Scene, attach_directory, c, new_file_system};
use crate::runtime::request::Access;

/// Mounts every hierarchy as the container's cgroup namespace shows it.
pub(super) fn all(scene: &Scene<'_>, target: &str, access: Access) -> Result<(), SysError> {
    let layout = layout(scene)?;
    let mut flags = vec![Flag::NoSuid, Flag::NoDev, Flag::NoExec];
    if access == Access::ReadOnly {
        flags.push(Flag::ReadOnly);
    }
    if let [only] = layout.hierarchies()
        && only.version == Version::V2
    {
        let mount = new_file_system("cgroup2", &[], &flags)?;
        return attach_directory(scene, &mount, target);
    }
    let tmpfs = attach_tmpfs(scene, target)?;
    for hierarchy in layout.hierarchies() {
        let name = hierarchy.mount.file_name().unwrap_or_default();
        let place: PathBuf = Path::new(target).join(name);
        let mount = match hierarchy.version {
            Version::V2 => new_file_system("cgroup2", &[], &flags)?,
            Version::V1 => {
                let option = |name: &String| match name.split_once('=') {
                    Some((key, value)) => (key.to_owned(), value.to_owned()),
                    None => (name.clone(), String::new()),
                };
                let mut options: Vec<_> = hierarchy.controllers.iter().map(option).collect();
                if options.iter().any(|(key, _)| key == "name") {
                    options.insert(0, ("none".to_owned(), String::new()));
                }
                new_file_system("cgroup", &options, &flags)?
            }
        };
        attach_directory(scene, &mount, &place.to_string_lossy())?;
    }
    close(&tmpfs, access)
}

/// Binds the directories of the caller's own group, which a namespace of its own would show.
pub(super) fn own(scene: &Scene<'_>, target: &str, access: Access) -> Result<(), SysError> {
    let layout = layout(scene)?;
    let attributes = Attributes::NO_SUID | Attributes::NO_DEV | Attributes::NO_EXEC;
    let set = match access {
        Access::ReadOnly => attributes | Attributes::READ_ONLY,
        Access::ReadWrite => attributes,
    };
    let bind = |directory: &Path, place: &str| {
        let tree = mount::clone_tree(Dir::Here, &c(&directory.to_string_lossy()), Depth::One)?;
        let change = Change {
            set,
            propagation: Some(mount::Propagation::Private),
            ..Change::NOTHING
        };
        mount::change_detached(tree.as_fd(), Depth::One, change)?;
        attach_directory(scene, &tree, place)
    };
    let own = match scene.group {
        Some(group) => group.directories().collect(),
        None => layout.own_directories()?,
    };
    if let ([only], [directory]) = (layout.hierarchies(), own.as_slice())
        && only.version == Version::V2
    {
        return bind(directory, target);
    }
    let tmpfs = attach_tmpfs(scene, target)?;
    for (hierarchy, directory) in layout.hierarchies().iter().zip(&own) {
        let name = hierarchy.mount.file_name().unwrap_or_default();
        bind(directory, &Path::new(target).join(name).to_string_lossy())?;
    }
    close(&tmpfs, access)
}

/// The trees of this mount namespace: those of the group, else those that are found.
fn layout<'a>(scene: &Scene<'a>) -> Result<Cow<'a, Layout>, SysError> {
    match scene.group {
        Some(group) => Ok(Cow::Borrowed(group.layout())),
        None => Layout::detect().map(Cow::Owned),
    }
}

/// The directory in which each hierarchy of version 1 has one.
fn attach_tmpfs(scene: &Scene<'_>, target: &str) -> Result<OwnedFd, SysError> {
    let settings = [("mode".to_owned(), "755".to_owned())];
    let flags = [Flag::NoSuid, Flag::NoDev, Flag::NoExec];
    let tmpfs = new_file_system("tmpfs", &settings, &flags)?;
    attach_directory(scene, &tmpfs, target)?;
    Ok(tmpfs)
}

fn close(tmpfs: &OwnedFd, access: Access) -> Result<(), SysError> {
    if access == Access::ReadWrite {
        return Ok(());
    }
    let change = Change {
        set: Attributes::READ_ONLY,
        ..Change::NOTHING
    };
    mount::change_detached(tmpfs.as_fd(), Depth::One, change)
}

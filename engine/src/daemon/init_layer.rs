//! What every container needs below its own layer: places to mount things on.
//!
//! Made in a read-only directory of their own, the highest lower of the overlay, they appear neither in
//! `docker diff` nor in a committed image.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use kernel::tree::{self, Tree};

use super::container::ContainerRecord;
use super::{Daemon, DaemonError};

const DIRECTORIES: [&str; 5] = ["dev", "dev/pts", "dev/shm", "proc", "sys"];
const FILES: [&str; 5] = [
    ".dockerenv",
    "dev/console",
    "etc/hostname",
    "etc/hosts",
    "etc/resolv.conf",
];

impl Daemon {
    /// The lower directories of a container, the highest first: its init layer, then its image's layers.
    pub(crate) fn lowers(&self, record: &ContainerRecord) -> Result<Vec<PathBuf>, DaemonError> {
        let mut lowers = vec![self.container_dir(&record.id).join("init")];
        for chain in record.layers.iter().rev() {
            lowers.push(self.store.layer(chain)?.tree);
        }
        Ok(lowers)
    }

    /// Makes the init layer of a container that is being created.
    pub(crate) fn make_init_layer(&self, record: &ContainerRecord) -> Result<(), DaemonError> {
        let lowers = self.lowers(record)?;
        let (init, image) = lowers
            .split_first()
            .expect("the init layer is always there");
        make_at(init, image, &[])
    }
}

/// A place to mount something on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// A directory of this name.
    Dir(&'a str),
    /// A file of this name.
    File(&'a str),
}

/// Makes an init layer on `image` (directories, the highest first), with more places.
pub(super) fn make_at(
    init: &Path,
    image: &[PathBuf],
    more: &[Place<'_>],
) -> Result<(), DaemonError> {
    make_dir(init, None)?;
    let image: Vec<Tree> = image
        .iter()
        .map(|lower| Tree::open(lower))
        .collect::<Result<_, _>>()?;
    copy_attributes(&image, Path::new(""), init)?;
    for name in DIRECTORIES {
        make_missing(init, Path::new(name), &image)?;
    }
    for name in FILES {
        let path = Path::new(name);
        let parent = path.parent().unwrap_or(Path::new(""));
        if !shown(&image, path) && make_missing(init, parent, &image)? {
            let file = init.join(path);
            fs::write(&file, "").map_err(DaemonError::io(format!("make {}", file.display())))?;
            set_mode(&file, 0o755)?;
        }
    }
    // What is mounted, where programs of old look for it.
    let mtab = Path::new("etc/mtab");
    if !shown(&image, mtab) && make_missing(init, Path::new("etc"), &image)? {
        match std::os::unix::fs::symlink("/proc/mounts", init.join(mtab)) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(DaemonError::io("make /etc/mtab")(error));
            }
            _ => {}
        }
    }
    for place in more {
        let (Place::Dir(name) | Place::File(name)) = place;
        let path = tree::clean(Path::new(name));
        let parent = path.parent().unwrap_or(Path::new(""));
        if shown(&image, &path) || !make_missing(init, parent, &image)? {
            continue;
        }
        let target = init.join(&path);
        match place {
            Place::Dir(_) => make_dir(&target, Some(0o755))?,
            Place::File(_) if target.exists() => {}
            Place::File(_) => fs::write(&target, "")
                .map_err(DaemonError::io(format!("make {}", target.display())))?,
        }
    }
    Ok(())
}

/// Makes a directory unless the image has it as something else; tells whether things can be put in it.
fn make_missing(init: &Path, path: &Path, image: &[Tree]) -> Result<bool, DaemonError> {
    if path.as_os_str().is_empty() || init.join(path).is_dir() {
        return Ok(true);
    }
    if !make_missing(init, path.parent().unwrap_or(Path::new("")), image)? {
        return Ok(false);
    }
    match kind(image, path) {
        // A link must stay one; whoever mounts below it resolves it.
        Some(kind) if kind != 0o040_000 => Ok(false),
        known => {
            make_dir(&init.join(path), known.is_none().then_some(0o755))?;
            copy_attributes(image, path, &init.join(path))?;
            Ok(true)
        }
    }
}

fn make_dir(path: &Path, mode: Option<u32>) -> Result<(), DaemonError> {
    fs::create_dir_all(path).map_err(DaemonError::io(format!("make {}", path.display())))?;
    mode.map_or(Ok(()), |mode| set_mode(path, mode))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), DaemonError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(DaemonError::io(format!(
        "set the mode of {}",
        path.display()
    )))
}

/// The highest directory of a name decides what an overlay shows, so ours look like the image's.
fn copy_attributes(image: &[Tree], path: &Path, to: &Path) -> Result<(), DaemonError> {
    let found = image.iter().find_map(|lower| lower.dir(path).ok());
    let Some(dir) = found else { return Ok(()) };
    let fail = || DaemonError::io(format!("prepare {}", to.display()));
    let metadata = fs::metadata(tree::listing_path(dir.as_fd())).map_err(fail())?;
    chown(to, Some(metadata.uid()), Some(metadata.gid())).map_err(fail())?;
    set_mode(to, metadata.mode() & 0o7777)
}

fn kind(image: &[Tree], path: &Path) -> Option<u32> {
    let (parent, name) = (path.parent()?, path.file_name()?);
    for lower in image {
        if let Ok(dir) = lower.dir(parent)
            && let Ok(stat) = tree::stat(dir.as_fd(), name)
        {
            let kind = stat.st_mode & 0o170_000;
            let is_whiteout = kind == 0o020_000 && stat.st_rdev == 0;
            return (!is_whiteout).then_some(kind);
        }
    }
    None
}

/// Whether the layers (highest first) show something at `path`.
pub(super) fn shown(image: &[Tree], path: &Path) -> bool {
    kind(image, path).is_some()
}

//! A new volume begins with the image's files of that path.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use kernel::tree::{self, Tree};

use super::DaemonError;

/// Copies what the layers (highest first) show at `path` into the empty directory `into`.
///
/// The layers are applied from the lowest up, as an overlay would show them; names in them are looked up with the
/// layer as root.
pub(super) fn seed(lowers: &[PathBuf], path: &Path, into: &Path) -> Result<(), DaemonError> {
    let target = Tree::open(into)?;
    let path = tree::clean(path);
    for lower in lowers.iter().rev() {
        if let Ok(dir) = Tree::open(lower)?.dir(&path) {
            copy_dir(dir.as_fd(), target.dir(Path::new(""))?.as_fd())?;
        }
    }
    Ok(())
}

fn copy_dir(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), DaemonError> {
    let here = PathBuf::from(format!("/proc/self/fd/{}", from.as_raw_fd()));
    let fail = || DaemonError::io("copy the image's files into the volume");
    let own = fs::metadata(&here).map_err(fail())?;
    tree::chown(to, OsStr::new(""), own.uid(), own.gid())?;
    tree::chmod(to, OsStr::new(""), own.mode() & 0o7777)?;
    for entry in fs::read_dir(&here).map_err(fail())? {
        let entry = entry.map_err(fail())?;
        let (name, metadata) = (entry.file_name(), entry.metadata().map_err(fail())?);
        let kind = metadata.file_type();
        if kind.is_dir() {
            let (source, target) = (tree_at(from)?, tree_at(to)?);
            let target = target.make_dirs(Path::new(&name))?;
            copy_dir(source.dir(Path::new(&name))?.as_fd(), target.as_fd())?;
            continue;
        }
        tree::remove_all(to, &name)?;
        if kind.is_symlink() {
            let link = fs::read_link(entry.path()).map_err(fail())?;
            tree::make_symlink(to, &name, link.as_os_str())?;
            tree::chown(to, &name, metadata.uid(), metadata.gid())?;
        } else if kind.is_file() {
            let mut source = tree_at(from)?.file(Path::new(&name))?;
            let mut copy = tree::create_file(to, &name)?;
            std::io::copy(&mut source, &mut copy).map_err(fail())?;
            tree::chown(to, &name, metadata.uid(), metadata.gid())?;
            tree::chmod(to, &name, metadata.mode() & 0o7777)?;
            let time = tree::Mtime {
                seconds: metadata.mtime(),
                nanoseconds: metadata.mtime_nsec(),
            };
            tree::set_mtime(to, &name, time)?;
        } else if kind.is_fifo() {
            tree::make_node(to, &name, tree::Node::Fifo)?;
        }
        // Devices are left out; the device 0:0 hides a file of a lower layer, which is removed already.
    }
    Ok(())
}

fn tree_at(fd: BorrowedFd<'_>) -> Result<Tree, DaemonError> {
    Ok(Tree::at(
        fd.try_clone_to_owned()
            .map_err(DaemonError::io("copy a descriptor"))?,
    ))
}

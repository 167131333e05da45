//! A tmpfs that begins as a copy of the directory it will cover.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kernel::error::SysError;
use kernel::fs::{Access, open_in_root};
use kernel::tree::{self, Tree};

/// Copies what is at `target` below the root into a mount that is not attached yet; a target that
/// does not exist is empty.
pub(super) fn fill(root: BorrowedFd<'_>, target: &Path, mount: &OwnedFd) -> Result<(), SysError> {
    let source = match open_in_root(root, target, Access::Directory) {
        Err(e) if e.source.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    directory(source.as_fd(), mount.as_fd(), target)
}

fn directory(from: BorrowedFd<'_>, to: BorrowedFd<'_>, path: &Path) -> Result<(), SysError> {
    let on = |e: io::Error| SysError::io("tmpcopyup", e).on(path.to_string_lossy());
    let facts = std::fs::metadata(tree::listing_path(from)).map_err(on)?;
    tree::chown(to, OsStr::new(""), facts.uid(), facts.gid())?;
    for entry in std::fs::read_dir(tree::listing_path(from)).map_err(on)? {
        let name = entry.map_err(on)?.file_name();
        one(from, to, &name, &path.join(&name))?;
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(facts.mode() & 0o7777);
    std::fs::set_permissions(tree::listing_path(to), mode).map_err(on)
}

fn one(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &OsStr,
    path: &Path,
) -> Result<(), SysError> {
    const TYPE: u32 = 0o170_000;
    let on = |e: io::Error| SysError::io("tmpcopyup", e).on(path.to_string_lossy());
    let facts = tree::stat(from, name)?;
    // Nothing else writes in this root yet, so the name means the same file in each call below.
    match facts.st_mode & TYPE {
        0o040_000 => {
            tree::make_dir(to, name)?;
            let open = |dir: BorrowedFd<'_>| -> Result<OwnedFd, SysError> {
                let dir = dir.try_clone_to_owned().map_err(on)?;
                Tree::at(dir).place(Path::new(name))
            };
            return directory(open(from)?.as_fd(), open(to)?.as_fd(), path);
        }
        0o100_000 => {
            let source = from.try_clone_to_owned().map_err(on)?;
            let mut source = Tree::at(source).file(Path::new(name))?;
            let mut copy = tree::create_file(to, name)?;
            io::copy(&mut source, &mut copy).map_err(on)?;
        }
        0o120_000 => {
            let target = std::fs::read_link(tree::listing_path(from).join(name)).map_err(on)?;
            tree::make_symlink(to, name, target.as_os_str())?;
            return tree::chown(to, name, facts.st_uid, facts.st_gid);
        }
        0o010_000 => tree::make_node(to, name, tree::Node::Fifo)?,
        // Sockets are bound by whoever listens; devices have their own steps.
        _ => return Ok(()),
    }
    tree::chown(to, name, facts.st_uid, facts.st_gid)?;
    tree::chmod(to, name, facts.st_mode & 0o7777)
}

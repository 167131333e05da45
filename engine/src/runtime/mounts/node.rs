//! Device nodes and named pipes of a container.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use kernel::error::SysError;
use kernel::file;
use kernel::fs::{self, Access as Open, Dir, open_in_root};
use kernel::mount::{self, Depth};
use kernel::tree;

use super::apply::{Scene, attach_bind, c, make_directories, metadata, refused};
use super::{Node, NodeKind, Reach};
use crate::runtime::request::Access;

/// Makes a character device that every container has.
pub(super) fn usual(scene: &Scene<'_>, name: &str, numbers: (u32, u32)) -> Result<(), SysError> {
    let node = Node {
        path: format!("/dev/{name}"),
        kind: NodeKind::Char(numbers.0, numbers.1),
        mode: 0o666,
        owner: (0, 0),
    };
    make(scene, &node)
}

/// Makes a node where this user namespace may, else binds the stage's, having looked at it.
pub(super) fn make(scene: &Scene<'_>, node: &Node) -> Result<(), SysError> {
    let path = Path::new(&node.path);
    let directory = make_directories(scene.root, path.parent().unwrap_or(Path::new("/")))?;
    let name = Path::new(path.file_name().unwrap_or_default());
    let dir = Dir::At(directory.as_fd());
    let made = match node.kind {
        NodeKind::Char(major, minor) => fs::make_char_device(dir, name, node.mode, major, minor),
        NodeKind::Block(major, minor) => fs::make_block_device(dir, name, node.mode, major, minor),
        NodeKind::Fifo => fs::make_fifo(dir, name, node.mode),
    };
    match made {
        Ok(()) => {
            let (uid, gid) = node.owner;
            if (uid, gid) != (0, 0) {
                tree::chown(directory.as_fd(), name.as_os_str(), uid, gid)?;
            }
            file::chmod_at(dir, &c(&name.to_string_lossy()), node.mode)
        }
        // The image brings it: it must be what was asked for.
        Err(e) if e.source.kind() == std::io::ErrorKind::AlreadyExists => {
            let there = fs::open_beneath(directory.as_fd(), name, Open::Path)?;
            check(there.as_fd(), path, node.kind)
        }
        Err(e) if e.source.kind() == std::io::ErrorKind::PermissionDenied => bind(scene, node),
        Err(e) => Err(e),
    }
}

fn bind(scene: &Scene<'_>, node: &Node) -> Result<(), SysError> {
    let path = Path::new(&node.path);
    let source = fs::open(path, Open::Path)?;
    check(source.as_fd(), path, node.kind)?;
    let mount = mount::clone_tree(Dir::At(source.as_fd()), c"", Depth::One)?;
    attach_bind(
        scene,
        mount.as_fd(),
        &node.path,
        Access::ReadWrite,
        Reach::Tree,
    )
}

/// Opens the container's own null device, having made sure that it is one.
pub(super) fn null(scene: &Scene<'_>) -> Result<std::os::fd::OwnedFd, SysError> {
    let path = Path::new("/dev/null");
    let source = open_in_root(scene.root, path, Open::Path)?;
    check(source.as_fd(), path, NodeKind::Char(1, 3))?;
    Ok(source)
}

/// Refuses a file that is not this very node.
fn check(fd: BorrowedFd<'_>, path: &Path, wanted: NodeKind) -> Result<(), SysError> {
    let facts = metadata(fd)?;
    let kind = facts.file_type();
    let numbers = fs::device_numbers(facts.rdev());
    let (good, what) = match wanted {
        NodeKind::Char(a, b) => (
            kind.is_char_device() && numbers == (a, b),
            format!("character device {a}:{b}"),
        ),
        NodeKind::Block(a, b) => (
            kind.is_block_device() && numbers == (a, b),
            format!("block device {a}:{b}"),
        ),
        NodeKind::Fifo => (kind.is_fifo(), "a named pipe".to_owned()),
    };
    if good {
        return Ok(());
    }
    let object = path.to_string_lossy();
    Err(refused("open", &object, &format!("it is not {what}")))
}

//! Files of this very process, through a `/proc` that somebody else may have arranged.
//!
//! A container decides what is mounted at its `/proc`: a link, a bind of another file or a
//! directory of another process must not redirect what is written (CVE-2019-19921,
//! CVE-2025-52881).

use std::io::{Error, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::fcntl::readlinkat;

use crate::error::SysError;
use crate::file::{self, FileSystem};
use crate::fs::{self, Access, open_on_mount};

/// The root of every procfs has this inode.
const ROOT_INODE: u64 = 1;

/// Opens `/proc`, having made sure that it is the root of a procfs.
pub fn root() -> Result<OwnedFd, SysError> {
    let path = Path::new("/proc");
    let proc = fs::open(path, Access::Directory)?;
    check_root(proc.as_fd())?;
    Ok(proc)
}

/// Refuses a directory that is not the root of a procfs.
pub fn check_root(directory: BorrowedFd<'_>) -> Result<(), SysError> {
    let wrong = |why| SysError::io("open", Error::new(ErrorKind::InvalidData, why)).on("/proc");
    if file::file_system(directory)? != FileSystem::Proc {
        return Err(wrong("it is not procfs"));
    }
    let facts = directory
        .try_clone_to_owned()
        .and_then(|fd| std::fs::File::from(fd).metadata())
        .map_err(|e| SysError::io("fstat", e).on("/proc"))?;
    if facts.ino() == ROOT_INODE {
        Ok(())
    } else {
        Err(wrong("it is not the root of procfs"))
    }
}

/// Opens a file of this process, such as `attr/exec`; nothing mounted over it is entered.
pub fn open_own(path: &Path, access: Access) -> Result<OwnedFd, SysError> {
    let root = root()?;
    let own = readlinkat(&root, "self")
        .map_err(|errno| SysError::io("readlink", errno.into()).on("/proc/self"))?;
    open_on_mount(root.as_fd(), &Path::new(&own).join(path), access)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn this_process_finds_itself() {
        let fd = open_own(Path::new("comm"), Access::Read).unwrap();
        let mut text = String::new();
        std::fs::File::from(fd).read_to_string(&mut text).unwrap();
        assert!(!text.is_empty());
    }

    #[test]
    fn a_directory_of_procfs_is_not_its_root() {
        let inside = fs::open(Path::new("/proc/sys"), Access::Directory).unwrap();
        assert!(check_root(inside.as_fd()).is_err());
        let elsewhere = fs::open(Path::new("/"), Access::Directory).unwrap();
        assert!(check_root(elsewhere.as_fd()).is_err());
    }
}
